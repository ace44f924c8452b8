// Command hostfeed writes this machine's readings as lines for "throng publish --ndjson":
// the share of time each CPU was busy, the load, and the rates of each network interface,
// once a second, from Linux's /proc. With -page it also serves a page that shows them live.
//
//	go run ./examples/hostfeed | throng publish --ndjson
//
// A line is one JSON object, {"topic":…,"data":{…}}. Topics and data, for a host named web1:
//
//	host/web1/cpu/0     busy, user, system, iowait, steal: shares of the time, 0 to 1
//	host/web1/load      load1, load5, load15: tasks; runnable, tasks: counts
//	host/web1/net/eth0  received, sent: bytes per second
//
// Every data has unixMs, the time of the reading in milliseconds since 1970.
//
// One goroutine reads and writes; a second one serves the page, if there is one.
package main
