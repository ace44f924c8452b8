package house

// This file is the house's plan: change a row here, in a commit that says why, when
// the code teaches better.

// floors are the rooms by height. A room imports rooms of lower floors only; rooms of
// one floor do not know each other. A room below another, such as bench/claims, is
// part of it unless it has a row of its own. Tests may also use their own floor.
var floors = map[string]int{
	"internal/invariant": 0, // assertions: everybody may call them

	"sse": 1, "httpparse": 1, "ringbuf": 1, "poller": 1, "breaker": 1,
	"web": 1, "deploy": 1, "internal/obs": 1, "internal/house": 1,
	"internal/hostload":  1, // what the host and the cgroup have left
	"internal/redisproc": 1, // real Redis servers, for tests and for bench

	"internal/simio": 2, // the second implementation of poller's seams

	"replay/seglog": 2, // the segmented log of bytes below the disk store

	"replay": 3, "client": 3, "topics": 3,
	"source":       3, // events over gRPC, both ways
	"server/loops": 4,
	"server":       5, "bench": 5,
	"cmd": 6, "examples": 6,
	"test": 7,
}

// forTests are rooms that tests of every floor may import, and shipped code may not.
var forTests = []string{"internal/simio"}

// barred are imports that the floors would allow.
var barred = []struct{ room, path, why string }{
	{"bench", "throng/server", "bench measures from outside, through sockets"},
	{"examples", "throng/server", "an example is written as a stranger would: against client and sse"},
	{"examples", "throng/poller", "an example is written as a stranger would: against client and sse"},
	{"httpparse", "net/http", "the parser is on its own; only its tests compare it with net/http"},
	{"sse", "net/http", "the wire format knows no transport"},
}

// key is a library, or a package of the standard library, that few rooms may import.
type key struct {
	path   string   // import path; whatever is below it is meant too
	rooms  []string // rooms that hold the key in shipped code
	tests  bool     // tests of every room may import it
	reason string
}

// keys lists every module from outside: a new dependency needs a row here.
var keys = []key{
	{"golang.org/x/sys/unix", []string{"poller", "cmd", "bench/internal/sock"}, true, "descriptors belong to poller; cmd sets limits; bench has sockets of its own, since it measures poller from outside"},
	{"syscall", []string{"poller", "cmd", "bench/peers/nchan", "internal/redisproc"}, true, "descriptors belong to poller; cmd handles signals; a peer becomes nginx; a Redis under test is paused and killed"},
	{"unsafe", []string{"poller", "ringbuf", "source"}, true, "memory outside the language's rules stays in two rooms; generated messages ask for it; tests may ask for sizes"},
	{"github.com/cloudwego/netpoll", []string{"poller", "bench/peers/netpoll"}, false, "poller is the edge to netpoll; others see its seams; a peer shows what streams cost inside netpoll"},
	{"github.com/redis/rueidis", []string{"replay"}, true, "one log room speaks to Redis; tests may set it up and look inside"},
	{"github.com/cockroachdb/pebble", []string{"replay"}, true, "what is on disk is framed by one room; tests take its file systems that forget and fail"},
	{"github.com/sony/gobreaker", []string{"breaker"}, false, "breakers are configured in one place"},
	{"google.golang.org/grpc", []string{"source"}, true, "one room speaks gRPC; tests may be its peers"},
	{"google.golang.org/genproto", []string{"source"}, true, "details of a gRPC status"},
	{"google.golang.org/protobuf", []string{"source"}, true, "its messages are made in one room"},
	{"github.com/VictoriaMetrics/metrics", []string{"internal/obs"}, false, "metrics are one table"},
	{"github.com/valyala/bytebufferpool", []string{"server", "replay"}, false, "pooled bytes have two owners"},
	{"github.com/alecthomas/kong", []string{"cmd"}, false, "options are read by the command line only"},
	{"go.yaml.in/yaml", []string{"cmd"}, false, "options are read by the command line only"},
	{"github.com/HdrHistogram/hdrhistogram-go", []string{"bench"}, false, "recorded latencies belong to bench"},
	{"github.com/go-analyze/charts", []string{"bench/internal/chart"}, false, "charts are drawn in one place"},
	{"github.com/schollz/progressbar", []string{"cmd"}, false, "a person watches the command line only"},
	{"golang.org/x/term", []string{"cmd"}, true, "is it a terminal? only the command line asks"},
}

// births lists the files that start goroutines, in shipped code: a go statement, a
// call of a method named Go, or an AfterFunc. The row says why the goroutine lives
// and who ends it.
var births = map[string]string{
	"cmd/throng/serve.go":          "Serve and Drain wait, while the main goroutine hears signals; it ends both and takes their answers",
	"cmd/throng/bench_progress.go": "redraws the bar on a terminal; the end of the measurement ends it",
	"cmd/throng/publish.go":        "reads standard input, which can't be interrupted; ends with its input or with the process",
	"breaker/source.go":            "one prober for each channel of a source, and the probe it waits for; its owner's context ends them, Run waits for all but a probe that ignores its context",
	"bench/process.go":             "waits for the end of the process under test, which stop brings about",
	"bench/fair.go":                "floods beside the measurement, which ends it and takes its answer",
	"bench/pace.go":                "a thread a processor, which samples how fast it is beside a measurement; close ends and awaits them",
	"bench/check/crew.go":          "the publishers and subscribers of a check; dismiss ends all and waits",
	"client/stream.go":             "timers of one connection's silence and of the caller's context; closing the connection stops both",
	"examples/hostfeed/page.go":    "serves the example's page until the process ends",
	"poller/edge_linux.go":         "the sweeper of dribbling requests; Close ends it and waits",
	"poller/serve_linux.go":        "requests that have to wait, hand-overs and closes of connections; each ends with its own, Close waits for them",
	"replay/redisprobe.go":         "one question to each master, and the probe that waits for all; its answer, --redis-timeout (or the probe's bound, if longer) or the end of the master ends it",
	"internal/redisproc/proxy.go":  "carries bytes between a test's client and a Redis; Close ends them and waits",
	"replay/redisroute.go":         "asks Sentinels or the Cluster who is master; Close ends it and waits",
	"replay/redisshard.go":         "one keeper a master, and its tail with the one that interrupts it; route or Close ends them, Close waits",
	"replay/seglog/flush.go":       "one flusher for all logs of a store; Close ends it and waits",
	"replay/spool.go":              "the sender of what waits; Close ends it and waits",
	"source/client.go":             "the receiver of a subscription; Subscribe ends it and waits",
	"source/serve.go":              "the receiver of a PublishStream, which ends with the stream, and Close waits; a timer ends streams with the server",
	"source/server.go":             "the timer that turns a graceful stop into a hard one; Close stops it",
	"server/lifecycle.go":          "the two ports and the housekeeping of the process; Close ends them and waits",
	"server/namespace.go":          "commits what waits when its publisher has its own answer; ends with an empty mailbox, Close waits for it",
	"server/loops/pager.go":        "a few for the process, which read from stores that wait; Group.Stop ends them and waits",
	"server/loops/group.go":        "one goroutine for each loop of the process; Stop ends them and waits",
}

// forbiddenWords are refused in every text file. Each is written in two halves, so
// that this file passes its own rule.
var forbiddenWords = []struct{ word, why string }{
	{"/wo" + "rk/", "a path of one machine; the tree stands anywhere"},
	{"/ro" + "ot/", "a path of one machine; the tree stands anywhere"},
	{"/ho" + "me/", "a path of one machine; the tree stands anywhere"},
	{"TO" + "DO", "unfinished work is not committed: do it or leave it out"},
	{"FIX" + "ME", "unfinished work is not committed: do it or leave it out"},
	{"X" + "XX", "unfinished work is not committed: do it or leave it out"},
	{"blaz" + "ing", "say a number, and where it was measured"},
	{"light" + "ning-fast", "say a number, and where it was measured"},
}

// Lengths in lines. The aim is below the limit: 300 and 70.
const (
	fileLinesMax     = 300
	testFileLinesMax = 400
	funcLinesMax     = 70
	testFuncLinesMax = 100
)
