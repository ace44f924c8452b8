// Package loops owns the streams. A Group is a few event loops; a stream that was
// handed over belongs to one of them until it closes, as one row of that loop's table.
//
// Everything a loop has is its own: rows, topics, wheel, epoll. It meets the world at
// two places only: its mailbox (new streams, refused requests, orders to drain) and the
// broadcast ring (events, in the one order that all loops see). A loop never waits for
// anything but its poller, and no turn of it makes more than a set number of writes, so
// that whoever else has work is served in between.
//
//	       Attach                      last byte of history sent
//	front ────────▶ CatchUp ────────────────────────────────▶ Lagging
//	          │                                               │    ▲
//	          │ no more missed                    caught up   │    │ socket full
//	          │ than one write takes                          │    │
//	          └──────────────────────────────▶ Live ◀─────────┘    │
//	                                             └─────────────────┘
//	       Refuse
//	front ────────▶ Lingering      every state ──▶ closed, reason counted
//
// Goroutines: one a loop, started by Start, ended by Stop. Locks: none.
package loops
