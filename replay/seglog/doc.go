// Package seglog keeps a sequence of byte records on disk: numbered from 1 without holes,
// appended in batches, read from any number on, forgotten from the old end.
//
// A Log is a directory of segment files. Blocks, chunks and checksums are those of
// github.com/cockroachdb/pebble/v2/record, written by its Writer: blocks of 32 KiB, and in
// them chunks of a CRC-32C, a length and a type. What one Append writes is one or more
// frames, each a record of that library: the number of its first record, their count, and
// the records, each behind its length.
//
// Nothing is ever overwritten or cut off. A segment begins with a header that says its
// epoch, its first number and which segment comes before it; it ends where the next one
// begins. What is behind that end, a batch whose write failed or the torn tail of a crash,
// is never looked at again. So the way back from a failed write, from a full disk and from a
// power cut is one and the same: begin a new segment behind the last acknowledged record.
//
// Numbers are never given twice within an epoch, and go on across epochs. A new epoch
// begins with every start that was not preceded by a Close, since records that readers had
// seen may be lost then. One whose first segment the disk has refused has no records, and
// may be taken again.
//
// Chunks are read by a decoder of our own, because Reader of the library allocates for each
// record, can't go on behind an end that has moved, skips a chunk that is lost from the last
// bytes of a block, and looks for flipped bits where it finds a torn chunk, for up to a
// second. The tests hold it to the library's.
//
// Order of locks in a Log: appending, then syncing, then the table of segments.
package seglog
