// Package loops owns the streams. A Group is a few event loops; a stream that was
// handed over belongs to one of them until it closes, as one row of that loop's table.
//
// Everything a loop has is its own: rows, topics, wheel, epoll. It meets the world at
// three places only: its mailbox (new streams, refused requests, orders to drain), the
// broadcast ring (events, in the one order that all loops see) and the pages that the
// Group's pager reads for it. A loop never waits for anything but its poller, and no turn
// of it makes more than a set number of writes, so that whoever else has work is served in
// between.
//
//	       Attach                      last byte of history sent
//	front ────────▶ CatchUp ────────────────────────────────▶ Lagging
//	          │      │   ▲  full                              │    ▲
//	          │      ▼   │ socket                  caught up  │    │ socket full
//	          │     a scan of the log                         │    │
//	          │ no more missed                                │    │
//	          │ than one write takes                          │    │
//	          └──────────────────────────────▶ Live ◀─────────┘    │
//	                                             └─────────────────┘
//	       Refuse
//	front ────────▶ Lingering      every state ──▶ closed, reason counted
//
// # What is told to others
//
// How far a loop is behind, without what its work explains, is in Figures (lateness.go). A
// stream that is closed because its writes came to nothing, and how one does that was let in
// on trial, is reported on the spot (failure.go): who wants to know must not wait.
//
// # History
//
// Catching up is a fan-out of the past. What a client missed a moment ago it gets with the
// head of its stream, out of memory (near.go). The rows that miss more wait in their
// namespace's queue, and one scan walks the log upwards for all of them, from the lowest
// place to the highest point of attachment, a window of events at a time (scan.go):
//
//	   ┌────────────────────────── the next window ───────────────────────────┐
//	   ▼                                                                      │
//	 read ──▶ pick: each event to the riders ──▶ give: each rider what was ───┤
//	▲  │  │   that want it, by topics.Index      picked, in one write         │
//	│  │  │                                                                   ▼
//	│  │  └─ history is gone ──▶ tell: a gap each, from their own place     over: nobody
//	│  └──── not in memory ────▶ await: a pager reads, one window ahead     rides any more
//	└─────── the store is away ▶ rest: until the next try
//
// A rider whose socket is full leaves with its place, and joins again when it has room: the
// same scan if that has not passed its place, else the next one. Nobody joins a scan any more
// when it has come to where its first riders attached, so no scan goes on forever, and who
// waits for the next one waits for one scan at most. Where most riders want most events, the
// picks would be many: then each rider looks at the window itself (scan_pick.go).
//
// A row whose client is ahead of this node waits until the ring has passed its ID, and the
// store has said that it knows it (ahead.go). An entry of the ring without topics is a notice
// to every stream of its namespace (notice.go).
//
// Memory beside the rows, for each loop: ScansMax scans of a window (4,096 events or about 1 MiB),
// twice where a pager reads ahead, and 512 KiB of picks; for each namespace that streams attach
// to 256 events or 256 KiB, or a scan's last window, for half a second. The pager keeps 8 windows
// for the other loops as long as anybody scans.
//
// Goroutines: one a loop and PagersMax pagers, started by Start, ended by Stop. Locks: the
// pager's, which is held for moments.
package loops
