//go:build race

package main

// Under the race detector the program under test is built with it, too.
const buildFlag = "-race=true"
