// Package breaker answers one question: may I call it? It knows nothing of what is called.
//
// A Circuit is sony/gobreaker with what this server needs around it: it is asked on hot
// paths, so while it is closed asking costs one atomic load and nothing is locked; outcomes
// may come from who never asked leave (a write that fails long after its stream was let in);
// and each transition is told with its cause and its numbers.
//
//	          failures by the rule          a probe fails
//	closed ──────────────────────▶ open ◀──────────────────┐
//	  ▲                              │ OpenFor is over      │
//	  │                              ▼                      │
//	  └───────────────────────── half-open ─────────────────┘
//	     Probes in a row are good
//
// The pause is OpenFor each time, also when a probe has failed. A longer one after each
// would make a circuit that flaps quieter, and would keep one that has recovered shut for
// longer; and there are at most three transitions in OpenFor as it is.
//
// A Channel is a dependency that is probed. It is healthy, degraded or isolated, and comes
// back by a ramp:
//
//	         Failures weak answers in a row       Failures failures in a row more
//	healthy ───────────────────────────▶ degraded ───────────────────────────▶ isolated
//	   ▲  ▲      Probes good in a row       │  ▲    after IsolatedFor, Probes     │  │
//	   │  └─────────────────────────────────┘  └──────────────────────────────────┘  │
//	   │                                             answers in a row                │
//	   └─────────────────────────────────────────────────────────────────────────────┘
//	     after IsolatedFor, Probes good answers in a row
//
// Weak is a failure, or an answer that was slow. A Source is several channels to the same
// data. A Limiter is not a breaker: it lets so many through a second, and finds out how many
// that may be. A Board has all of them, for the operator.
//
// The four layers (Connection, Gateway, Queue, Sources) are the server's; it says what is a
// failure. Time is time.Now, so tests run in a synctest bubble; testdata has a story of each
// layer.
package breaker
