// Package redisproc starts real Redis servers as processes of this machine, for tests and
// for the checker under bench: alone, a master with its replica and Sentinels, or a Cluster
// of three. They listen on loopback only, live in folders of their own, can be killed,
// paused and started again, and die with the process that started them.
//
// A Server's methods are for one goroutine at a time, Do excepted.
package redisproc
