package server

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Setting is one row of the table of options: what shows and reads them (flags, the
// environment, files, docs/options.md) is made from it.
type Setting struct {
	Field   string // name in Options
	Name    string // name of the flag and the file's key
	Group   string // heading under which it is listed
	Help    string // what it does; 0 explained where it has a meaning
	Accepts string // the values that are accepted, in words

	ok func(any) bool
}

// Bytes tells whether the value counts bytes.
func (s Setting) Bytes() bool { return strings.Contains(s.Field, "Bytes") }

const (
	mebi     = 1 << 20
	sizeMax  = 1 << 40 // bytes; no host of today holds more for one process
	countMax = 1 << 24 // connections, rows, keys: four times what one process was ever asked to hold
)

// settings has one row for each field of Options, in the order of their groups.
var settings = slices.Concat(plainSettings, breakerSettings)

// plainSettings are those of what works without a breaker.
var plainSettings = []Setting{
	row("Listen", "listen", "Addresses", "public address; only loopback is reached by default", address(false)),
	row("Admin", "admin", "Addresses", "address of metrics and profiles; empty: no admin port", address(true)),
	row("Store", "store", "Addresses", "where events are kept for replay: in memory, on disk, or in Redis, where several nodes share them", storePlace()),
	row("CORSOrigins", "cors-origins", "Addresses", "browser origins that may read and publish; * allows every one", origins()),

	row("Loops", "loops", "Processors", "loops that own streams; 0: half of the processors", count(0, 1024)),
	row("Reactors", "reactors", "Processors", "reactors that read requests; 0: an eighth of the processors", count(0, 1024)),
	row("Wait", "wait", "Processors", "how an idle loop waits; all but block burn processor time for latency, and spin wants a processor to spare for each loop", oneOf("block", "yield", "sleep", "spin")),
	row("IOUring", "io-uring", "Processors", "whether events are written through io_uring, many with one system call; auto: where the kernel allows it", oneOf("auto", "on", "off")),

	row("ConnectionsMax", "connections-max", "Limits", "open connections, streams included; 0: what the descriptor limit allows", count(0, countMax)),
	row("RequestsMax", "requests-max", "Limits", "connections still in the request phase; 0: a quarter of connections-max, at least 1024", count(0, countMax)),
	row("HeadBytesMax", "head-bytes-max", "Limits", "request line and headers", count(256, 65535)),
	row("HeadersMax", "headers-max", "Limits", "header fields of one request", count(1, 128)),
	row("EventBytesMax", "event-bytes-max", "Limits", "data of one event", count(1, 63*mebi)),
	row("EventNameBytesMax", "event-name-bytes-max", "Limits", "name of one event", count(1, 128)),
	row("BatchBytesMax", "batch-bytes-max", "Limits", "body of one NDJSON batch", count(1, 1024*mebi)),
	row("BatchLinesMax", "batch-lines-max", "Limits", "lines of one NDJSON batch; a refused one is answered with some 200 bytes", count(1, countMax)),
	row("NamespacesMax", "namespaces-max", "Limits", "namespaces held at once", count(1, mebi)),
	row("StreamTopicsMax", "stream-topics-max", "Limits", "topics and patterns of one stream", count(1, 128)),
	row("EventTopicsMax", "event-topics-max", "Limits", "topics of one event", count(1, 256)),
	row("ClientBytesMax", "client-bytes-max", "Limits", "what a client may send on its stream before it is closed", count(0, 1024*mebi)),
	row("SendBufferBytes", "send-buffer-bytes", "Limits", "send buffer of a connection, as the kernel counts it", count(4096, 64*mebi)),
	row("BufferedBytesMax", "buffered-bytes-max", "Limits", "unfinished requests held at once, all connections together", count(1, sizeMax)),
	row("PinnedMax", "pinned-max", "Limits", "half-sent frames held at once by a loop", count(1, countMax)),
	row("TurnWritesMax", "turn-writes-max", "Limits", "writes in one turn of a loop", count(1, mebi)),
	row("MailboxPublishMax", "mailbox-publish-max", "Limits", "publishes that wait for their namespace's committer", count(1, mebi)),
	row("RingEvents", "ring-events", "Limits", "events in the broadcast ring", powerOfTwo(2, countMax)),
	row("NamespaceRingShare", "namespace-ring-share", "Limits", "ring slots one namespace may hold unread; 0: a quarter of the ring", count(0, countMax)),

	row("HeadTimeout", "head-timeout", "Times", "from accept, or a request's first byte, to the end of its head", span(time.Millisecond, time.Hour)),
	row("BodyTimeout", "body-timeout", "Times", "from the end of the head to the end of the body", span(time.Millisecond, time.Hour)),
	row("IdleTimeout", "idle-timeout", "Times", "between two requests of a kept connection", span(time.Millisecond, 24*time.Hour)),
	row("WriteTimeout", "write-timeout", "Times", "for an answer to be taken by a full socket", span(time.Millisecond, time.Hour)),
	row("LingerTimeout", "linger-timeout", "Times", "how long the rest of a refused request is read and thrown away", span(0, time.Minute)),
	row("PublishTimeout", "publish-timeout", "Times", "how long a publish may wait for its turn before it is refused", span(time.Millisecond, time.Hour)),
	row("StallTimeout", "stall-timeout", "Times", "a lagging reader without any progress is closed after it", span(time.Millisecond, time.Hour)),
	row("Heartbeat", "heartbeat", "Times", "silence on a stream after which a heartbeat is sent", span(time.Millisecond, 24*time.Hour)),
	row("Retry", "retry", "Times", "how long a client waits before it comes back; each stream is told 1 to 1.5 times it", span(time.Millisecond, time.Hour)),
	row("DrainPeriod", "drain", "Times", "on SIGTERM the streams are closed spread over it", span(0, time.Hour)),

	row("RetainEvents", "retain-events", "Replay", "events kept, a namespace", count(1, 1024*mebi)),
	row("RetainBytes", "retain-bytes", "Replay", "bytes kept, a namespace", count(1, sizeMax)),
	row("RetainAge", "retain-age", "Replay", "age of what is kept", span(time.Millisecond, 8784*time.Hour)),
	row("RetainTotalBytes", "retain-total-bytes", "Replay", "bytes kept, all namespaces together", count(1, sizeMax)),
	row("IdempotencyWindow", "idempotency-window", "Replay", "how long an Idempotency-Key is known", span(time.Millisecond, 24*time.Hour)),
	row("IdempotencyMax", "idempotency-max", "Replay", "Idempotency-Keys known, a namespace", count(1, countMax)),
	row("Fsync", "fsync", "Replay", "disk and spool: what was acknowledged is on the disk at once, within fsync-interval, or when the kernel likes", oneOf("always", "interval", "never")),
	row("FsyncInterval", "fsync-interval", "Replay", "with fsync=interval, the time of events that a power cut may take, and of two rounds of flushes", span(time.Millisecond, time.Minute)),
	row("Spool", "spool", "Replay", "directory where publishes wait while Redis is away; empty: they are refused", anyText()),
	row("SpoolBytesMax", "spool-bytes-max", "Replay", "bytes that may wait in the spool", count(mebi, sizeMax)),
	row("RedisCA", "redis-ca", "Replay", "file of the certificates to trust, with a rediss:// store; empty: the system's", anyText()),
	row("RedisCert", "redis-cert", "Replay", "file of the certificate that this node shows to Redis; empty: none", anyText()),
	row("RedisKey", "redis-key", "Replay", "file of its key", anyText()),
	row("RedisTimeout", "redis-timeout", "Replay", "for an answer of Redis, before a publish is refused", span(time.Millisecond, time.Minute)),
	row("RedisWait", "redis-wait", "Replay", "replicas of Redis that must have an event before it is acknowledged", count(0, 16)),
	row("TailLinger", "tail-linger", "Replay", "with Redis, how long a namespace is followed after its last stream here has gone", span(time.Second, 24*time.Hour)),
	row("RecentBytesMax", "recent-bytes-max", "Replay", "with disk and Redis, bytes of the newest events that are kept in memory as well, all namespaces together", count(0, sizeMax)),
	row("ScansMax", "scans-max", "Replay", "scans of history under way at once in a loop; streams that wait for another one are served in order of arrival", count(1, 1024)),
	row("PagersMax", "pagers-max", "Replay", "reads of history from disk or Redis at once", count(1, 1024)),
	row("LagPolicy", "lag-policy", "Replay", "a reader lapped by the ring reads the log again, skips with a gap, or is closed", oneOf("catchup", "skip", "close")),
}

// Settings gives the table of options, a row for each field of Options. The slice is
// the caller's.
func Settings() []Setting { return slices.Clone(settings) }

// Check refuses impossible values. The error has a line for each: the option's name,
// the value, and what is accepted.
func (o Options) Check() error {
	var all []error
	fields := reflect.ValueOf(o)
	for _, s := range settings {
		if v := fields.FieldByName(s.Field).Interface(); !s.ok(v) {
			all = append(all, s.refuse(v, s.Accepts))
		}
	}
	for _, l := range limits {
		if value, most := l.of(o); most > 0 && value > most {
			all = append(all, fmt.Errorf("--%s=%s is refused; accepted: at most %s, the value of --%s", l.name, l.text(value), l.text(most), l.by))
		}
	}
	if o.RedisCert != "" && o.RedisKey == "" {
		all = append(all, fmt.Errorf("--redis-key= is refused; accepted: the file of the key of --redis-cert=%s", o.RedisCert))
	}
	if o.Spool != "" && !isRedis(o.Store) {
		all = append(all, fmt.Errorf("--spool=%s is refused; accepted: only with a Redis as --store", o.Spool))
	}
	return errors.Join(append(all, o.checkAddresses()...)...)
}

func (s Setting) refuse(v any, accepts string) error {
	return fmt.Errorf("--%s=%v is refused; accepted: %s", s.Name, v, accepts)
}

// limits are options bounded by another one; 0 of either means "choose for me".
var limits = []struct {
	name, by string
	of       func(Options) (value, most int64)
	text     func(int64) string
}{
	{"requests-max", "connections-max", func(o Options) (int64, int64) { return int64(o.RequestsMax), int64(o.ConnectionsMax) }, number},
	{"namespace-ring-share", "ring-events", func(o Options) (int64, int64) { return int64(o.NamespaceRingShare), int64(o.RingEvents) }, number},
	// An answer that may be slower than the time in which it has failed is never weak.
	{"redis-slow", "probe-timeout", func(o Options) (int64, int64) { return int64(o.RedisSlow), probed(o, isRedis(o.Store)) }, duration},
	{"upstream-slow", "probe-timeout", func(o Options) (int64, int64) { return int64(o.UpstreamSlow), probed(o, len(o.Upstreams) > 0) }, duration},
}

// probed is the time for a probe's answer where there is such a source.
func probed(o Options, there bool) int64 {
	if !there {
		return 0
	}
	return int64(o.ProbeTimeout)
}

func number(n int64) string   { return strconv.FormatInt(n, 10) }
func duration(n int64) string { return DurationText(time.Duration(n)) }

// rule is what a value must satisfy, and how to say it.
type rule struct {
	accepts string
	ok      func(any) bool
}

func row(field, name, group, help string, r rule) Setting {
	return Setting{Field: field, Name: name, Group: group, Help: help, Accepts: r.accepts, ok: r.ok}
}

func count(low, high int64) rule {
	return rule{fmt.Sprintf("%d to %d", low, high), func(v any) bool {
		n := reflect.ValueOf(v).Int()
		return low <= n && n <= high
	}}
}

func powerOfTwo(low, high int64) rule {
	within := count(low, high)
	return rule{"a power of two, " + within.accepts, func(v any) bool {
		n := reflect.ValueOf(v).Int()
		return within.ok(v) && n&(n-1) == 0
	}}
}

func span(low, high time.Duration) rule {
	return rule{DurationText(low) + " to " + DurationText(high), func(v any) bool {
		d, is := v.(time.Duration)
		return is && low <= d && d <= high
	}}
}

// DurationText writes a duration as people do: 1h and not 1h0m0s.
func DurationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func oneOf(words ...string) rule {
	return rule{strings.Join(words, ", "), func(v any) bool {
		s, is := v.(string)
		return is && slices.Contains(words, s)
	}}
}

// storePlace takes what openStore (store.go) can open.
func storePlace() rule {
	return rule{"memory, disk:DIR, or the URL of a Redis: redis://HOST:PORT, rediss://, redis-sentinel://", func(v any) bool {
		s, is := v.(string)
		dir, disk := strings.CutPrefix(s, "disk:")
		return is && (s == "memory" || disk && dir != "" || isRedis(s))
	}}
}

func anyText() rule {
	return rule{"any text", func(any) bool { return true }}
}

func address(none bool) rule {
	accepts := "host:port, the port from 0 (any that is free) to 65535"
	if none {
		accepts += ", or nothing"
	}
	return rule{accepts, func(v any) bool {
		s, is := v.(string)
		if s == "" {
			return is && none
		}
		return is && addressOK(s)
	}}
}

func addressOK(s string) bool {
	host, port, err := net.SplitHostPort(s)
	_, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil && !strings.ContainsAny(host, " /@")
}

func origins() rule {
	return rule{"* or origins as browsers write them: https://example.org, http://localhost:3000", func(v any) bool {
		list, is := v.([]string)
		return is && !slices.ContainsFunc(list, func(s string) bool { return s != "*" && !isOrigin(s) })
	}}
}

// isOrigin follows RFC 6454 §6.2: scheme, host, port, and nothing else.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && u.Scheme+"://"+u.Host == s
}
