// Package server is the only room where the others meet: it answers HTTP (the front),
// keeps the namespaces and their committers (the hub), and hands streams over to
// package loops, which owns them until they close.
package server
