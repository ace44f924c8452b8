package server

import "time"

// Options are the server's settings. The zero value is not usable: start from
// Defaults. Units are in the names; durations are time.Duration.
type Options struct {
	Listen string // public address, host:port
	Admin  string // admin address, host:port; empty: no admin port
	Store  string // memory, disk:DIR, or the URL of a Redis

	Loops    int    // loops that own streams; 0: half of the processors, at least 1
	Reactors int    // netpoll reactors that read requests; 0: an eighth of the processors, at least 1
	Wait     string // how an idle loop waits: block, yield, sleep, spin
	IOUring  string // whether writes go through io_uring in batches: auto, on, off

	ConnectionsMax     int // open connections, streams included; 0: what the descriptor limit allows
	RequestsMax        int // connections still in the request phase; 0: a quarter of ConnectionsMax, at least 1,024
	HeadBytesMax       int // request line and headers, bytes
	HeadersMax         int // header fields of one request
	EventBytesMax      int // data of one event, bytes
	EventNameBytesMax  int // name of one event, bytes
	BatchBytesMax      int // body of one NDJSON batch, bytes
	BatchLinesMax      int // lines of one NDJSON batch: each is answered, be it empty
	NamespacesMax      int // namespaces held at once
	StreamTopicsMax    int // topics and patterns of one stream
	EventTopicsMax     int // topics of one event
	ClientBytesMax     int // bytes a client may send on its stream before it is closed
	SendBufferBytes    int // SO_SNDBUF of a connection, bytes as the kernel counts them
	BufferedBytesMax   int // unfinished requests held at once, all connections, bytes
	PinnedMax          int // half-sent frames held at once, a loop
	TurnWritesMax      int // writes of one turn of a loop
	MailboxPublishMax  int // publishes waiting for their namespace's committer
	RingEvents         int // events in the broadcast ring, a power of two
	NamespaceRingShare int // ring slots that one namespace may hold unread; 0: a quarter of the ring

	HeadTimeout    time.Duration // from accept, or a request's first byte, to the end of its head
	BodyTimeout    time.Duration // from the end of the head to the end of the body
	IdleTimeout    time.Duration // between two requests of a kept connection
	WriteTimeout   time.Duration // for an answer to be taken by a full socket
	LingerTimeout  time.Duration // how long a refused request's rest is read and thrown away
	PublishTimeout time.Duration // how long a publish may wait for its turn before it is refused
	StallTimeout   time.Duration // a lagging reader without any progress is closed after it

	Heartbeat   time.Duration // silence on a stream after which a heartbeat is sent
	Retry       time.Duration // base of the retry: field; each stream gets 1 to 1.5 times it
	DrainPeriod time.Duration // closings are spread over it

	RetainEvents      int           // events kept for replay, a namespace
	RetainBytes       int64         // bytes kept for replay, a namespace
	RetainAge         time.Duration // age of what is kept for replay
	RetainTotalBytes  int64         // bytes kept for replay, all namespaces
	IdempotencyWindow time.Duration // how long an Idempotency-Key is known
	IdempotencyMax    int           // Idempotency-Keys known, a namespace

	Fsync          string        // disk, spool: when what was written is flushed: always, interval, never
	FsyncInterval  time.Duration // period of "interval": what a power cut may take
	Spool          string        // Redis: directory where publishes wait while it is away; empty: they are refused
	SpoolBytesMax  int64         // bytes that may wait there
	RedisCA        string        // file of certificates to trust, for rediss://; empty: the system's
	RedisCert      string        // file of the certificate that this node shows; empty: none
	RedisKey       string        // file of its key
	RedisTimeout   time.Duration // for an answer of Redis, before a publish is refused
	RedisWait      int           // replicas that must have an event before it is acknowledged
	TailLinger     time.Duration // Redis: how long a namespace is followed after its last stream here
	RecentBytesMax int64         // disk, Redis: bytes of the newest events that are kept in memory as well
	ScansMax       int           // scans of history under way at once, a loop; further ones wait
	PagersMax      int           // reads of history from disk or Redis at once

	LagPolicy   string   // a reader lapped by the ring: catchup, skip, close
	CORSOrigins []string // origins allowed to read and publish; "*" allows every one

	Breakers string // on, or off: nothing opens and nothing is limited by load

	CPUTarget             int           // percent of the processors that this process may use; 0: not looked at
	DelayTarget           time.Duration // how long a request may wait for its turn, or a loop or the scheduler be late; 0: not looked at
	SilenceMax            int           // percent of new connections that the kernel may drop under overload; 0: none
	MemoryBytesMax        int64         // memory of this process; 0: what the cgroup or the host has
	MemoryTarget          int           // percent of it; 0: not looked at
	StreamsRateMin        int           // new streams a second that are always let in
	PublishRateMin        int           // publishes a second that are always let in
	AddressConnectionsMax int           // connections of one client address; 0: any number
	NamespaceStreamsMax   int           // streams of one namespace; 0: any number

	ConnectionFailures int           // percent of establishments that fail, which opens the connection layer
	ConnectionWindow   time.Duration // within which they are counted
	ConnectionMin      int           // establishments within it before the percentage counts
	ConnectionOpen     time.Duration // open for so long, then half-open
	ConnectionProbes   int           // establishments that are tried half-open

	GatewayFailures int           // streams of one namespace, of different addresses, whose writes failed in a row
	GatewayOpen     time.Duration // open for so long, then half-open
	GatewayProbes   int           // streams that are let in half-open

	QueueLag      time.Duration // how far behind a loop may be
	QueueFill     int           // percent of what a loop may leave unread
	QueueFillFor  time.Duration // for so long
	QueueRefusals int           // publishes refused in a row, which open the queue layer
	QueueOpen     time.Duration // open for so long, then half-open
	QueueProbes   int           // publishes that are tried half-open
	QueuePolicy   string        // what becomes of publishes for which the queue has no room: block, shed, shed-oldest, conflate, refuse
	QueuePolicies []string      // the same for single namespaces, NAMESPACE=POLICY
	QueueWait     time.Duration // how long a publish may wait while the queue layer is not closed

	ProbeInterval time.Duration // between two probes of a data source
	ProbeTimeout  time.Duration // for its answer
	ProbeFailures int           // in a row, which degrade a source; as many more isolate it
	RedisSlow     time.Duration // a slower answer of Redis is a weak one
	UpstreamSlow  time.Duration // a slower answer of an upstream is a weak one
	Ramp          time.Duration // until a source that was isolated has all its work again

	GRPC      string   // address of the gRPC port, host:port; empty: none
	Upstreams []string // gRPC sources whose events are published here: grpc://HOST:PORT/NAMESPACE
}

// Defaults are the settings of a server started without any flag.
func Defaults() Options {
	o := Options{
		Listen: "127.0.0.1:8080",
		Admin:  "127.0.0.1:8081",
		Store:  "memory",
		Wait:   "block",

		IOUring:           "auto",
		HeadBytesMax:      16 << 10,
		HeadersMax:        100,
		EventBytesMax:     64 << 10,
		EventNameBytesMax: 128,
		BatchBytesMax:     8 << 20,
		BatchLinesMax:     131072,
		NamespacesMax:     1024,
		StreamTopicsMax:   64,
		EventTopicsMax:    16,
		ClientBytesMax:    64 << 10,
		SendBufferBytes:   64 << 10,
		BufferedBytesMax:  256 << 20,
		PinnedMax:         65536,
		TurnWritesMax:     256,
		MailboxPublishMax: 1024,
		RingEvents:        4096,

		HeadTimeout:    10 * time.Second,
		BodyTimeout:    30 * time.Second,
		IdleTimeout:    75 * time.Second,
		WriteTimeout:   10 * time.Second,
		LingerTimeout:  2 * time.Second,
		PublishTimeout: 5 * time.Second,
		StallTimeout:   30 * time.Second,

		Heartbeat:   25 * time.Second,
		Retry:       3 * time.Second,
		DrainPeriod: 30 * time.Second,

		RetainEvents:      65536,
		RetainBytes:       32 << 20,
		RetainAge:         time.Hour,
		RetainTotalBytes:  256 << 20,
		IdempotencyWindow: 5 * time.Minute,
		IdempotencyMax:    65536,

		Fsync:          "interval",
		FsyncInterval:  100 * time.Millisecond,
		SpoolBytesMax:  1 << 30,
		RedisTimeout:   800 * time.Millisecond,
		TailLinger:     30 * time.Second,
		RecentBytesMax: 128 << 20,
		ScansMax:       4,
		PagersMax:      4,

		LagPolicy: "catchup",
	}
	setBreakerDefaults(&o)
	return o
}
