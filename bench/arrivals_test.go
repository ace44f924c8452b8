package bench

import "testing"

// Only a 503 that says when to come back is a refusal that counts.
func TestArrivals_HonestRefusal(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]bool{
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n":                             true,
		"HTTP/1.1 503 Service Unavailable\r\nretry-after:0\r\n":                              true,
		"HTTP/1.1 503 Service Unavailable\r\n":                                               false,
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n": false,
		"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n":                               false,
		"HTTP/1.1 5":    false,
		"SSH-2.0-x\r\n": false,
	} {
		if got := isShed(statusOf([]byte(head)), []byte(head)); got != want {
			t.Errorf("%q: %t", head, got)
		}
	}
}
