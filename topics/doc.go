// Package topics answers two questions for one event loop: which rows want this event,
// and does this row want it. It knows filters, rows (numbers the caller gives) and
// namespaces (likewise); it knows no connections and no events.
//
// # Filters
//
// A topic is a path of non-empty levels separated by '/', 1 to 255 bytes of UTF-8. A
// filter is a topic, or a pattern with the wildcards of MQTT 5.0 section 4.7.1: '+'
// stands for exactly one level, '#' as the last level for any number of further levels,
// none included ("a/#" wants "a", "a/b" and "a/b/c"). MQTT's exception for topics that
// begin with '$' is not taken over: here they are topics like all others.
//
// # Layout
//
// Everything per subscriber is in tables without pointers, outside the garbage
// collector's heap (poller.Slab), and refers to other rows by number; 0 is none.
//
//	member   20 B  one row wants one filter: in the filter's list, in the row's chain
//	set      16 B  the members of one filter: list, holds, cursors
//	entry    16 B  a filter's name: hash, namespace, text (dict)
//	bucket    4 B  one for each entry: linear hashing, see dict
//	chunk    32 B  27 bytes of name, 28 in each further chunk
//
// So a subscriber with its own topic of up to 27 bytes costs 88 bytes. Patterns are
// names as well, and hang in a trie of levels besides: a node is 20 B and a name (entry,
// bucket, chunk); a child is found in the hash table by its parent's number and its text.
//
// Tables only grow, and never all at once: a page is taken from the kernel when it is
// first written, freed rows are used again last in, first out, and the hash tables split
// one bucket at a time. There is no pause to copy anything at any size.
//
// # Bounds
//
// Each table has a limit (Limits); a Join that does not fit changes nothing and fails
// with ErrFull. Match costs one look-up per topic for exact filters. For patterns it
// visits the trie nodes whose path fits the topic so far, each once, without recursion:
// at most all nodes of the namespace, which Limits.PatternNodes bounds. Hashes are
// keyed with a seed drawn for each Index, so clients cannot choose names that collide.
package topics
