package httpparse

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestScanners_AgreeWithTheClasses puts every byte at every place of a word and around its edges.
func TestScanners_AgreeWithTheClasses(t *testing.T) {
	for _, s := range []struct {
		name  string
		end   func([]byte, int) int
		class uint8
	}{{"value", valueEnd, classValue}, {"target", targetEnd, classTarget}} {
		for c := range 256 {
			for at := range 19 {
				b := bytes.Repeat([]byte{'a'}, 20)
				b[at] = byte(c)
				b[19] = '\x00'
				for from := range at + 1 {
					want := 19
					if classOf[c]&s.class == 0 {
						want = at
					}
					if got := s.end(b, from); got != want {
						t.Fatalf("%s: byte %#x at %d from %d: %d", s.name, c, at, from, got)
					}
				}
				if got := s.end(b[:at], at); got != at {
					t.Fatalf("%s: an empty rest gives %d, not %d", s.name, got, at)
				}
			}
		}
	}
}

func TestToken_IsRFC9110(t *testing.T) {
	for c := range 256 {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		want := alnum || c < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c))
		if isToken(byte(c)) != want {
			t.Errorf("byte %#x: %v", c, !want)
		}
	}
}

func TestKnown_HashIsPerfect(t *testing.T) {
	names := slices.Concat(knownNames[FieldOther+1:], plainNames)
	for i, name := range names {
		id := FieldOther
		if i < int(fieldIDs)-1 {
			id = FieldID(i + 1)
		}
		if len(name) < 4 || len(name) > knownNameBytesMax || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			t.Errorf("%q breaks what the table relies on", name)
		}
		for _, spelt := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			if k := find([]byte(spelt)); k == &noName || k.id != id || int(k.length) != len(name) {
				t.Errorf("%q is found as %q, %d bytes", spelt, k.id, k.length)
			}
		}
		for at := range name {
			other := []byte(name)
			for c := range 256 {
				other[at] = byte(c)
				if k := find(other); k != &noName && !strings.EqualFold(string(other), name) && !slices.Contains(names, string(other)) {
					t.Fatalf("%q is taken for %q", other, k.id)
				}
			}
		}
		for _, other := range []string{name + "s", name[1:], name[:len(name)-1]} {
			if k := find([]byte(other)); k != &noName && !slices.Contains(names, other) {
				t.Errorf("%q is taken for %q", other, k.id)
			}
		}
	}
	if k := find(make([]byte, headBytesCeiling)); k != &noName {
		t.Errorf("zeros are taken for %q", k.id)
	}
}

// TestPlainHost_AgreesWithTheGrammar: what passes the quick look is a host, and common hosts pass it.
func TestPlainHost_AgreesWithTheGrammar(t *testing.T) {
	hosts := []string{"a", "push.example.org", "127.0.0.1:8080", "localhost:80", "a:65535", "a:", "EXAMPLE-1.net:443", "example.org:8"}
	quick := func(host string) bool {
		return plainHost([]byte("Host: "+host+"\r\n\r\n12345678"), 6, 6+len(host))
	}
	for _, host := range hosts {
		if !quick(host) {
			t.Errorf("%q is not plain", host)
		}
		for at := range host {
			for c := range 256 {
				other := []byte(host)
				other[at] = byte(c)
				if off := hostFault(other, 0, len(other)); off >= 0 && quick(string(other)) {
					t.Errorf("%q is taken, byte %d is wrong", other, off)
				}
			}
		}
	}
	for _, wrong := range []string{"", ":80", "a:65536", "a:99999", "a:8x", "a:8 0", "a/b", "a,b", "a b"} {
		if quick(wrong) {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestFieldID_UnknownIsEmpty(t *testing.T) {
	if FieldOther.String() != "" || FieldID(200).String() != "" {
		t.Error("a name for a field that is none")
	}
}

func TestLimits_CheckNamesTheLimit(t *testing.T) {
	lim := DefaultLimits()
	if err := lim.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		limit *int
		value int
		want  string
	}{
		{&lim.HeadBytesMax, 70000, "httpparse: HeadBytesMax is 70000; 18 to 65535 is accepted"},
		{&lim.TargetBytesMax, 0, "httpparse: TargetBytesMax is 0; 1 to 16384 is accepted"},
		{&lim.HeadersMax, 129, "httpparse: HeadersMax is 129; 1 to 128 is accepted"},
		{&lim.ChunkSizeDigitsMax, 16, "httpparse: ChunkSizeDigitsMax is 16; 1 to 15 is accepted"},
		{&lim.TrailerBytesMax, -1, "httpparse: TrailerBytesMax is -1; 2 to 65535 is accepted"},
	} {
		kept := *c.limit
		*c.limit = c.value
		if err := lim.Check(); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
		*c.limit = kept
	}
}

// TestParse_ImpossibleLimitsOnlyRefuse: limits that Check would refuse neither panic nor let anything through.
func TestParse_ImpossibleLimitsOnlyRefuse(t *testing.T) {
	head := []byte(typicalRequests[0].head)
	for _, lim := range []Limits{{}, {HeadBytesMax: -1}, {HeadBytesMax: 1 << 30, MethodBytesMax: -5}} {
		var r Request
		if n, err := Parse(head, 0, &lim, &r); n != 0 || err == nil || err == ErrPartial {
			t.Errorf("%+v: %d, %v", lim, n, err)
		}
		var c Chunked
		if _, _, done, err := c.Decode([]byte("1\r\nx\r\n0\r\n\r\n"), &lim); done || err == nil {
			t.Errorf("%+v: %v, %v", lim, done, err)
		}
	}
}
