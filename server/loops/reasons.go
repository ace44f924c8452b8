package loops

// Reason says why a row was closed. The numbers are stable: they are in logs.
type Reason uint8

// The reasons.
const (
	ReasonPeer        Reason = iota // the client closed or reset
	ReasonWrite                     // a write failed otherwise
	ReasonStalled                   // nothing was taken, or acknowledged, for the stall time-out
	ReasonLapped                    // lapped by the ring under the policy "close"
	ReasonPins                      // no room to keep its half-sent frame
	ReasonClientBytes               // the client sent more than a stream may
	ReasonDrain                     // the node drains
	ReasonStop                      // the node stops
	ReasonAnswered                  // a refused request: the answer was taken
	ReasonLinger                    // a refused request: the client went on sending for too long
	ReasonTable                     // no room in the table of rows or topics
	ReasonLog                       // the log failed while the client caught up
	reasonCount
)

var reasonNames = [reasonCount]string{
	"peer", "write", "stalled", "lapped", "pins", "client_bytes", "drain", "stop",
	"answered", "linger", "table", "log",
}

// String is the reason's label in throng_connections_closed_total.
func (r Reason) String() string { return reasonNames[r] }

// Reasons lists the labels in order of their numbers.
func Reasons() []string { return reasonNames[:] }
