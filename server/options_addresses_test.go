package server

import (
	"strings"
	"testing"
)

func TestIsItself_ByAddress(t *testing.T) {
	for _, c := range []struct {
		address, listen string
		want            bool
	}{
		{"127.0.0.1:9090", "127.0.0.1:9090", true}, {"localhost:9090", "127.0.0.1:9090", true}, {"[::1]:9090", ":9090", true},
		{"localhost:9090", "0.0.0.0:9090", true}, {"0.0.0.0:9090", "127.0.0.1:9090", true}, {"127.0.0.1:9090", "[::]:9090", true},
		{"127.0.0.1:9091", "127.0.0.1:9090", false}, {"192.0.2.7:9090", ":9090", false}, {"192.0.2.7:9090", "127.0.0.1:9090", false},
		{"source.example:9090", "127.0.0.1:9090", false}, {"source.example:9090", "source.example:9090", true}, {"127.0.0.1", ":9090", false},
	} {
		if got := isItself(c.address, c.listen); got != c.want {
			t.Errorf("who dials %s reaches %s: %v", c.address, c.listen, got)
		}
	}
}

func TestOptions_AddressesThatMeet(t *testing.T) {
	for want, set := range map[string]func(*Options){
		"--admin=127.0.0.1:8080 is refused; accepted: another address than --listen": func(o *Options) { o.Admin = "127.0.0.1:8080" },
		"--grpc=127.0.0.1:8081 is refused; accepted: another address than --admin":   func(o *Options) { o.GRPC = "127.0.0.1:8081" },
		"each source and namespace once":                                             func(o *Options) { o.Upstreams = []string{"grpc://a:1/x", "grpc://a:1/x"} },
		"other nodes than this one (--grpc=:9090)": func(o *Options) {
			o.GRPC, o.Upstreams = ":9090", []string{"grpc://localhost:9090/default"}
		},
	} {
		o := Defaults()
		o.Listen, o.Admin = "127.0.0.1:8080", "127.0.0.1:8081"
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		if set(&o); o.Check() == nil || !strings.Contains(o.Check().Error(), want) {
			t.Errorf("%v, want %s", o.Check(), want)
		}
	}
}
