package replay

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// How the masters are found.
type redisMode uint8

const (
	redisSingle   redisMode = iota // the address is the master's
	redisSentinel                  // Sentinels tell who is the master
	redisCluster                   // the nodes tell who has which slots
)

// A redisTarget is what a URL says.
type redisTarget struct {
	mode     redisMode
	addrs    []string // of the master, the Sentinels, or some nodes of the Cluster
	master   string   // what the Sentinels call it
	db       int
	tls      bool
	user     string
	password string

	sentinelUser, sentinelPassword string
}

// parseRedisURL reads the forms
//
//	redis://[USER:PASSWORD@]HOST[:PORT][/DB]
//	redis://[USER:PASSWORD@]HOST[:PORT][,HOST…]?cluster=true
//	redis://[USER:PASSWORD@]HOST[:PORT][,HOST…][/DB]?sentinel=MASTER
//	redis-sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST…]/MASTER[/DB]
//
// rediss:// and rediss-sentinel:// are the same over TLS; valkey:// and valkeys:// are other
// words for redis:// and rediss://. Ports default to 6379, of Sentinels to 26379. As in
// rueidis.ParseURL, addr=HOST:PORT adds an address, db=N chooses a database, and
// master_set=NAME is another word for sentinel=NAME. sentinel_user and sentinel_password
// are for Sentinels that want them. User and password are not repeated in errors.
func parseRedisURL(text string) (redisTarget, error) {
	var t redisTarget
	fail := func(format string, args ...any) (redisTarget, error) {
		return redisTarget{}, fmt.Errorf("replay: Redis URL: "+format, args...)
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return fail("no scheme; write redis://HOST:PORT")
	}
	words, isSentinel := strings.CutSuffix(scheme, "-sentinel")
	switch words {
	case "redis", "valkey":
	case "rediss", "valkeys":
		t.tls = true
	default:
		return fail("scheme %q; redis, rediss (TLS), redis-sentinel and rediss-sentinel are known", scheme)
	}
	// Several hosts are no URL to net/url: they are taken out first.
	hosts, tail := rest, ""
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		hosts, tail = rest[:at], rest[at:]
	}
	userinfo := ""
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		userinfo, hosts = hosts[:at+1], hosts[at+1:]
	}
	u, err := url.Parse("redis://" + userinfo + "host" + tail)
	if err != nil {
		return fail("user, password, path or query can't be read; characters such as / # ? @ in them must be %%-encoded")
	}
	if u.Fragment != "" {
		return fail("#%s; nothing may follow the query", u.Fragment)
	}
	if u.User != nil {
		t.user = u.User.Username()
		t.password, _ = u.User.Password()
	}
	q := u.Query()
	if err := t.readQuery(q, isSentinel); err != nil {
		return fail("%w", err)
	}
	if err := t.readPath(u.Path, isSentinel); err != nil {
		return fail("%w", err)
	}
	port := "6379"
	if t.mode == redisSentinel {
		port = "26379"
	}
	for _, h := range append(strings.Split(hosts, ","), q["addr"]...) {
		addr, err := redisAddr(h, port)
		if err != nil {
			return fail("%w", err)
		}
		t.addrs = append(t.addrs, addr)
	}
	switch {
	case t.mode == redisSingle && len(t.addrs) > 1:
		return fail("%d hosts, but neither ?cluster=true nor ?sentinel=MASTER says what they are", len(t.addrs))
	case t.mode == redisCluster && t.db != 0:
		return fail("database %d; a Cluster has database 0 only", t.db)
	}
	return t, nil
}

// readQuery takes what stands behind the question mark.
func (t *redisTarget) readQuery(q url.Values, isSentinel bool) error {
	for name, values := range q {
		value := values[len(values)-1]
		switch name {
		case "addr":
		case "cluster":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("cluster=%q; true or false", value)
			}
			if on {
				t.mode = redisCluster
			}
		case "sentinel", "master_set":
			if value == "" || t.master != "" {
				return fmt.Errorf("%s=%q; one name of a master", name, value)
			}
			t.master = value
		case "sentinel_user":
			t.sentinelUser = value
		case "sentinel_password":
			t.sentinelPassword = value
		case "db":
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return fmt.Errorf("db=%q; a number from 0", value)
			}
			t.db = int(n)
		default:
			return fmt.Errorf("unknown %s=; known are addr, cluster, db, master_set, sentinel, sentinel_password and sentinel_user", name)
		}
	}
	if t.master != "" || isSentinel {
		if t.mode == redisCluster {
			return fmt.Errorf("cluster and sentinel; a Cluster has no Sentinels")
		}
		t.mode = redisSentinel
	}
	return nil
}

// readPath takes the master's name, where the scheme asks for it, and the database.
func (t *redisTarget) readPath(path string, isSentinel bool) error {
	path = strings.Trim(path, "/")
	if isSentinel {
		name, rest, _ := strings.Cut(path, "/")
		if name != "" && t.master == "" {
			t.master, path = name, rest
		}
		if t.master == "" {
			return fmt.Errorf("no name of the master; write redis-sentinel://HOST:PORT/NAME")
		}
	}
	if path == "" {
		return nil
	}
	n, err := strconv.ParseUint(path, 10, 31)
	if err != nil {
		return fmt.Errorf("path %q; the number of a database is expected there", path)
	}
	t.db = int(n)
	return nil
}

// redisAddr completes host or host:port.
func redisAddr(text, port string) (string, error) {
	host := text
	if at := strings.LastIndexByte(text, ':'); at > strings.LastIndexByte(text, ']') {
		host, port = text[:at], text[at+1:]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("port %q of %q; a number from 1 to 65535", port, text)
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}
