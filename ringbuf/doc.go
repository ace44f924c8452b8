// Package ringbuf holds the bounded, lock-free rings that carry values between
// goroutines, and the gates at which a goroutine waits for them.
//
//   - [Broadcast]: many writers, a fixed number of readers; every reader sees
//     every value, in one order. Writers are held back by the slowest reader.
//   - [Mailbox]: many writers, one consumer; each value is taken once.
//   - [Gate]: waits for a condition by one of four strategies; a signal costs
//     one atomic load when nobody waits.
//
// It knows nothing of what it carries. Nothing here starts a goroutine, and
// only Wait and WaitUntil wait. Rings allocate at construction and never again;
// a gate keeps one small record per goroutine that has waited at once.
//
// # How a value travels
//
// A writer claims the next sequence with one compare-and-swap, and only when
// the slot behind it is free; it writes the value, then stores sequence+1 into
// the slot's mark. A reader accepts a slot when its mark is the one it expects,
// so a mark left by an earlier lap is never taken for a new one. The mark is
// the happens-before edge from writer to reader; the reader's released
// sequence is the one back. Both are sync/atomic operations, which in Go are
// sequentially consistent (The Go Memory Model, 2022), so everything here is
// clean under the race detector.
//
// The scheme is that of the LMAX Disruptor (Thompson, Farley, Barker, Gee,
// Stewart: "Disruptor: High performance alternative to bounded queues", 2011),
// with the availability marks kept inside the slots as in Vyukov's bounded
// queue, so that a reader finds mark and value on one cache line.
//
// # Assumptions and limits
//
//   - Sequences start at 0, are strictly consecutive, and never wrap: 2^64
//     values at a thousand million a second last 584 years.
//   - A writer that is preempted between claim and mark holds the readers at
//     its slot until it runs again. Other writers go on until the ring is full.
//   - A slot takes 8 bytes beside its value. Slots are not padded: neighbours
//     share a line, which costs a little when reader and writer run
//     neck and neck, and gains much when a reader takes a range.
//   - Size, a power of two from [SizeMin] to [SizeMax], is fixed for life, as
//     is the number of readers (1 to [ReadersMax]).
package ringbuf
