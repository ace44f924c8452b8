package bench

import (
	"bytes"
	"testing"
)

func TestPayload_RoundTrip(t *testing.T) {
	for _, size := range []int{0, payloadBytesMin, payloadBytesMin + 1, 100, 4096} {
		want := payload{token: 0xfedcba9876543210, seq: 9_999_999_999, due: 1_234_567_890_123_456}
		b := appendPayload(nil, want, size)
		if len(b) != max(size, payloadBytesMin) {
			t.Errorf("size %d: %d bytes", size, len(b))
		}
		if got, err := parsePayload(b); err != nil || got != want {
			t.Errorf("size %d: %+v, %v", size, got, err)
		}
	}
}

// A byte that came from elsewhere must not pass, wherever it stands.
func TestPayload_ForeignByteAnywhere(t *testing.T) {
	good := appendPayload(nil, payload{token: 7, seq: 8, due: 9}, 100)
	for at := range good {
		b := bytes.Clone(good)
		b[at] = '!'
		if p, err := parsePayload(b); err == nil {
			t.Fatalf("byte %d: read as %+v", at, p)
		}
	}
	for n := range payloadBytesMin {
		if _, err := parsePayload(good[:n]); err == nil {
			t.Fatalf("%d bytes are read as a payload", n)
		}
	}
}

func TestEventID_OrderAndGrammar(t *testing.T) {
	rising := []string{"0-0", "0-1", "0-10", "1-0", "1-9", "10-0", "18446-744073709551615"}
	for i := 1; i < len(rising); i++ {
		a, ok := parseID([]byte(rising[i-1]))
		b, ok2 := parseID([]byte(rising[i]))
		if !ok || !ok2 || !a.less(b) || b.less(a) || a.less(a) || b.String() != rising[i] {
			t.Errorf("%s and %s: %v %v", rising[i-1], rising[i], a, b)
		}
	}
	for _, bad := range []string{"", "-", "1", "1-", "-1", "1-2-3", "a-b", "1- 2", "99999999999999999999-1"} {
		if d, ok := parseID([]byte(bad)); ok {
			t.Errorf("%q is read as %v", bad, d)
		}
	}
}
