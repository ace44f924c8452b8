// Package bench is the load generators: scenarios that start a server as a process of
// its own, load it over loopback connections, verify every event they count, and report
// what it cost. It measures from outside: bytes on sockets, /proc and the admin port.
//
// A Scenario takes Options and gives a Report. A Report is worth something only when its
// OK is true: each stream's order, completeness and origin are checked event by event,
// because every event carries its topic's token, a sequence number and its due time.
//
// The clients share the machine with what they measure, so they are cheap: a swarm reads
// all its connections in one goroutine, through one edge triggered epoll set, and keeps
// a few words a stream. Publishing is open-loop wherever latency is the question: due
// times do not wait for the server, and lateness of the client itself is reported.
//
// What the numbers mean and do not mean:
//
//   - On loopback the sender's system call runs the receiver's half of TCP too. Server
//     and floor pay it alike.
//   - Processor time is the scheduler's, by thread (/proc/PID/task/*/schedstat), not a
//     sample. It contains no work that the kernel does outside the process.
//   - Two sides of a comparison run in turn, A B A B, within one run, because a machine's
//     speed changes over minutes. The ratio is taken pair by pair.
//   - The machine must be otherwise quiet. Figures of "the whole machine" contain
//     everything that ran on it.
//
// A Scenario's Run may be called from any goroutine; two at a time disturb each other's
// numbers but not their checks.
package bench
