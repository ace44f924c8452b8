package main

// claims are decided by scenarios of throng bench: by the newest record of the scenario,
// as make benchmarks leaves it, unless the row names another one.
var claims = []claim{
	{title: "A waiting subscriber with a topic of its own", scenario: "density", figure: "memory a stream, slope", goal: atMost(256, "B"),
		limits: "VmRSS of the server between 3,000 and 15,000 streams; the kernel's socket buffers are not in it."},
	{title: "Processor time of 15,000 subscribers who wait", scenario: "density", figure: "idle server CPU, of one processor", goal: atMost(1, "%"),
		limits: "heartbeats every 25 s included."},
	{title: "A delivered event, against one send() in C", scenario: "fanout", figure: "CPU of the sender a delivered event, server over floor", goal: atMost(1.25, "ratio"),
		limits: "one topic, 15,000 readers, 100 bytes, one event at a time."},
	{title: "A delivered event, against net/http", scenario: "fanout", figure: "CPU of the sender a delivered event, server over net/http", goal: atMost(0.5, "ratio"),
		limits: "as above."},
	{title: "A publish to one of 15,000 subscribers, against net/http", scenario: "device", figure: "server CPU a publish, waiting for answer, server over net/http", goal: atMost(0.5, "ratio")},
	{title: "A reader that never reads, seen by the others", scenario: "stall", figure: "p99 of the others, due to delivery, with stalled over without", goal: atMost(1.1, "ratio"),
		limits: "p99 with the stalled reader over p99 without."},
	{title: "A calm namespace beside a flooded one", scenario: "fair", figure: "calm, publish due to delivery, in the flood, p99", goal: atMost(20000, "us"),
		limits: "14,000 streams of the flooded namespace are served meanwhile; the client's own lateness is in it."},
	{title: "15,000 streams that reconnect at once and resume", scenario: "storm", figure: "reconnect to first byte, p99", goal: atMost(1e6, "us"),
		limits: "every event comes once to each stream, or the run counts as wrong."},
}

// micros are decided by benchmarks of go test.
var micros = []micro{}
