//go:build !race

package loops

// racing tells whether the race detector looks on, which makes everything some ten times
// slower: the largest crowds are smaller then.
const racing = false
