// Package invariant asserts what only a bug of ours can break.
//
// Check is for programmer errors: a state that no input, peer or disk can bring about.
// What the outside can cause is an error value, never a Check. Poison is for the
// same kind of error in buffers: built with the tag throngpoison, it spoils a buffer at
// the moment it is given back, so that whoever still reads it sees rubbish at once
// instead of another connection's bytes once in a while.
package invariant
