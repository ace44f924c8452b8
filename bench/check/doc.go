// Package check finds out whether servers keep the promise of delivery while they, their
// store and their clients are struck by faults.
//
// Publishers number their events, and note which of them were acknowledged, as what, and
// when. Subscribers log what they are given. A subscriber that loses its connection comes
// back with its last ID, to the same node or to another, and so on to its end: that chain
// of connections is a lineage, and a lineage has one log. Faults come round by round, all
// drawn from one seed: the kinds, their order and their moments. What is published when is
// the machine's affair, so the same seed gives the same faults, not the same run.
//
// A Judge compares the logs with the promise, by IDs alone: what a lineage is owed is all
// that is known of its topics, between its point of attachment and its last ID, where
// known is what was acknowledged and what any lineage was given. What is missing must be
// covered by a gap that the lineage was told, and the Promise says which stores may have
// gaps at all. Nothing is excused by time.
//
// Run owns the goroutines of its clients and returns when all of them have ended. The
// nodes and their faults are the caller's; a Fault is called by Run's own goroutine, one
// at a time.
package check
