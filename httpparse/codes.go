package httpparse

// Refusal is one row of the table of refusals, for pages that list them.
type Refusal struct {
	Code   string // as in Error.Code
	Status int    // the HTTP status to answer with
	Wrong  string // what is wrong, in half a sentence
	Right  string // what would be right, in half a sentence
}

// Codes lists every refusal of this package in the order in which a request can run into
// them: request line, fields, meaning, chunked body, and at the end "bad_escape", which
// only AppendUnescaped gives. Each code comes once. The slice is the caller's.
func Codes() []Refusal {
	all := make([]Refusal, 0, verdicts-tlsHello)
	for _, r := range rules[tlsHello:] {
		all = append(all, Refusal{Code: r.code, Status: r.status, Wrong: r.wrong, Right: r.right})
	}
	return all
}
