package main

// claims are decided by scenarios of throng bench: by the newest record of the scenario,
// as make benchmarks leaves it, unless the row names another one.
var claims = []claim{
	{title: "A waiting subscriber with a topic of its own", scenario: "density", load: "--duration 20s", figure: "memory a stream, slope", goal: atMost(256, "B"),
		limits: "VmRSS of the server between 3,000 and 15,000 streams; the kernel's socket buffers are not in it."},
	{title: "Processor time of 15,000 subscribers who wait", scenario: "density", load: "--duration 20s", figure: "idle server CPU, of one processor", goal: atMost(1, "%"),
		limits: "heartbeats every 25 s included."},
	{title: "A connect", scenario: "density", load: "--duration 20s", figure: "server CPU a connect", goal: atMost(50, "us"),
		limits: "as fast as they attach, from one client."},
	{title: "1,000,000 subscribers in one process", scenario: "million", record: "2026-11-22-million-1000000", load: "--streams 1000000 --duration 5m",
		figure: "memory a stream, slope", goal: atMost(256, "B"),
		limits: "each with two topics, its own and one that all share, in the lab's emulated guest: two broadcasts reached everybody once, nobody was lost over a heartbeat interval of 300 s.",
		few:    "half an hour a run; counts and memory hardly vary."},
	{title: "A delivered event, against one send() in C", scenario: "fanout", load: "--pairs 1", figure: "CPU of the sender a delivered event, server over floor", goal: atMost(0.75, "ratio"),
		limits: "one topic, 15,000 readers, 100 bytes, one event at a time; writes by io_uring."},
	{title: "The same with plain writes", scenario: "fanout", load: "--pairs 1", record: "2026-11-22-fanout-plain", figure: "CPU of the sender a delivered event, server over floor", goal: atMost(1.05, "ratio"),
		limits: "`--io-uring off`."},
	{title: "How much dearer an event gets from 1,000 readers to 15,000, against the send() loop", scenario: "fanout", load: "--pairs 1", figure: "growth with the number of streams, server over floor", goal: atMost(1, "ratio"),
		limits: "writes by io_uring."},
	{title: "A delivered event, against net/http", scenario: "fanout", load: "--pairs 1", figure: "CPU of the sender a delivered event, server over net/http", goal: atMost(0.5, "ratio"),
		limits: "as above."},
	{title: "A delivered event, against nchan", scenario: "fanout", load: "--pairs 1", figure: "CPU of the sender a delivered event, server over nchan", goal: atMost(0.75, "ratio"),
		limits: "as above."},
	{title: "A publish to one of 15,000 subscribers, against net/http", scenario: "device", load: "--pairs 1", figure: "server CPU a publish, waiting for answer and delivery, server over net/http", goal: atMost(0.4, "ratio"),
		limits: "one connection, the next publish when the last was delivered: 0.4 is 2.5 times the publishes a CPU second."},
	{title: "The same against nchan", scenario: "device", load: "--pairs 1", figure: "server CPU a publish, waiting for answer and delivery, server over nchan", goal: atMost(0.25, "ratio"),
		limits: "as above; 0.25 is 4 times the publishes a CPU second."},
	{title: "An event in a batch, without subscribers", scenario: "batch", load: "--pairs 1", figure: "server CPU an event, no reader, single over batch", goal: atLeast(10, "ratio"),
		limits: "1,000 lines a request, against single publishes on one connection."},
	{title: "A client that loses its connection and resumes, 15,000 at once", scenario: "storm", record: "2026-11-22-storm-few", load: "--events 60 --pairs 1",
		figure: "server CPU a client, from the break until all are live, events included, median", goal: atMost(60, "us"),
		limits: "close, accept, request, catch-up and four events a client; every event comes once to each stream, or the run counts as wrong."},
	{title: "The same while 300 events are published, 19 a client", scenario: "storm", figure: "server CPU a client, from the break until all are live, events included, median", goal: atMost(60, "us"),
		load: "--pairs 1"},
	{title: "15,000 streams that break at once: the last percentile is live again", scenario: "storm", load: "--pairs 1", figure: "break of all connections to live again, p99", goal: atMost(5e6, "us"),
		limits: "the client that breaks and connects shares the two processors, and is most of it."},
	{title: "15,000 clients that resume 100 events of one topic, against a live broadcast of the same 1.5 million", scenario: "resume", record: "2026-11-22-resume", load: "--pairs 1",
		figure: "time until the last event is delivered, resume over live", goal: atMost(3, "ratio"), limits: "from the first connect, all at once; each stream is checked for its events, their order, and one live event behind them.",
		few: "three runs."},
	{title: "What the store is asked for that", scenario: "resume", record: "2026-11-22-resume", load: "--pairs 1",
		figure: "events read from the store, of those delivered, greatest", goal: atMost(1, "%"), limits: "one page is read for all.", few: "three runs."},
	{title: "The same with 15,000 topics interleaved in a log of 1.5 million, in memory: how often it is read", scenario: "resume", record: "2026-11-22-resume-own", load: "--pairs 1 --topics 15000",
		figure: "times the log was read, greatest", goal: atMost(10, "times"), limits: "each client its own 100 events.", few: ownFew},
	{title: "The same on disk", scenario: "resume", record: "2026-11-22-resume-own-disk", load: "--pairs 1 --topics 15000 --store disk",
		figure: "times the log was read, greatest", goal: atMost(10, "times"), limits: "each client its own 100 events.", few: ownFew},
	{title: "Their time, against a live delivery of the same, on disk", scenario: "resume", record: "2026-11-22-resume-own-disk", load: "--pairs 1 --topics 15000 --store disk",
		figure: "time until the last event is delivered, resume over live", goal: atMost(3, "ratio"), limits: "both from the same log.", few: ownFew},
	{title: "Connects that succeed, in the soak", scenario: "soak", figure: "connects that succeeded", goal: atLeast(99.99, "%"), limits: soakLimits, few: soakFew},
	{title: "Events delivered, in the soak", scenario: "soak", figure: "events delivered", goal: atLeast(99.95, "%"), limits: soakLimits, few: soakFew},
	{title: "Streams alive after 30 minutes", scenario: "soak", figure: "streams alive at the end", goal: atLeast(99.5, "%"), limits: soakLimits, few: soakFew},
	{title: "p99 of an event, in the soak", scenario: "soak", figure: "event, due to delivery, p99", goal: atMost(800000, "us"), limits: soakLimits, few: soakFew},
	{title: "p99 of a device command, in the soak", scenario: "soak", figure: "device command, due to delivery, p99", goal: atMost(187000, "us"), limits: soakLimits, few: soakFew},
	{title: "Projection: 80,000 streams at an event a minute each", scenario: "soak", figure: "projection: 80000 streams, an event a minute each, of one processor", goal: atMost(45, "%"),
		limits: "computed from the cost of an event and of a waiting stream, both measured with 5,000 streams.", few: soakFew},
}

const (
	soakLimits = "5,000 streams, with churn, slow readers, resumes and commands; the machine compiled and emulated another one meanwhile."
	ownFew     = "one run, of 1.5 million events."
	soakFew    = "one run of half an hour."
)

// micros are decided by benchmarks of go test.
var micros = []micro{
	{title: "Reading a request's head, against fasthttp", name: "Ratio/parse", unit: "fasthttp/throng", goal: atLeast(3, "fasthttp/throng"),
		limits: "geometric mean over eight heads; each side reads the head and is asked for method, path, query, host, three fields, length and keep-alive."},
	{title: "The same, fasthttp's reading of the head alone", name: "Ratio/read", unit: "fasthttp/throng", goal: atLeast(3, "fasthttp/throng"),
		limits: "fasthttp leaves the fields unread until they are asked for; throng's parser is done with them."},
	{title: "Reading picohttpparser's own request, against it", name: "PicoRequest/throng", over: "PicoRequest/picohttpparser-sse42", unit: "ns/op", goal: atMost(1.5, "ratio"),
		limits: "its published method: one request of 703 bytes in a loop; built with -O3 -msse4.2."},
	{title: "One writer to four readers, against buffered channels", name: "OneWriterFourReaders_Ratio", unit: "channels/ringbuf", goal: atLeast(5, "channels/ringbuf"),
		limits: "each reader checks the order and the sum of all values; on two processors."},
	{title: "Who wants an event, among a million topics", name: "Match_Exact", unit: "ns/op", goal: atMost(1000, "ns/op")},
	{title: "The same with patterns beside", name: "Match_ExactAndPatterns", unit: "ns/op", goal: atMost(2000, "ns/op")},
	{title: "A million rows with a topic each, over a simulated kernel", name: "Rows", unit: "VmRSS-B/row", goal: atMost(256, "VmRSS-B/row"),
		limits: "table, index and heap; the whole process below 256 MB."},
}
