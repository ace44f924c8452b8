// Package house holds the house's rules as tests: which room may import which, who
// holds the key to which library, how long a file and a function may be, where
// goroutines are born, and how things are named and documented. A rule that no test
// holds is a wish.
//
// Run it alone with "go test ./internal/house". Each fault names file and line, the
// rule, and what to do. Rules that need an exception have a table in plan_test.go,
// with the reason in the row.
package house
