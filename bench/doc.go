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
// Any server of event streams can be measured: a Wire says how it is spoken to, and
// Options.URL or a command line where it is. Verification by token and sequence is the
// same for all; throng's own dialect is checked to the byte beside.
//
// A swarm holds as many streams as its process may open files. Beyond that, or when
// Options.Workers asks for it, streams are spread over processes of the same program,
// which report counts and histograms to the one that publishes. All of them count time
// from the same moment of the kernel's monotonic clock.
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
