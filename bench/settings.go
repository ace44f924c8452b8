package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Setting is one of the Options as people write it. The table of all settings is the one
// place that knows their names, limits and users.
type Setting struct {
	Name    string // of the flag, without its dashes
	Group   string
	Help    string
	Accepts string
	Repeats bool // each further value is added

	of   string              // field of Options or Wire
	when func(Scenario) bool // scenarios that use it although their default is zero; nil: none
	set  func(o *Options, text string) error
	text func(o Options) string // empty: zero
}

// Groups of settings.
const (
	GroupLoad   = "Load"
	GroupClient = "Client"
	GroupServer = "Server"
	GroupWire   = "Wire"
)

// Limits of settings.
const (
	streamsMax     = 2_000_000
	connectionsMax = 100_000_000
	eventsMax      = 1_000_000_000
	pairsMax       = 1000
	topicsMax      = 1_000_000
	linesMax       = 100_000
	payloadMax     = 1 << 20
	namespacesMax  = 1 << 10
	roundsMax      = 1_000_000
	nodesMax       = 16
	sourcesMax     = 254
	workersMax     = 1024
	rateMax        = 10_000_000
	timeMax        = 24 * time.Hour
)

var settings = []Setting{
	wholeSetting("streams", GroupLoad, "Subscriptions held at once.", "Streams", func(o *Options) *int { return &o.Streams }, 1, streamsMax),
	wholeSetting("streams-low", GroupLoad, "The first step of a ramp; less than --streams.", "StreamsLow", func(o *Options) *int { return &o.StreamsLow }, 1, streamsMax).usedBy("million"),
	wholeSetting("stalled", GroupLoad, "Readers that never read.", "Stalled", func(o *Options) *int { return &o.Stalled }, 1, streamsMax),
	wholeSetting("connections", GroupLoad, "Connections in all; in batch at once; in connect those that must attach; in overload those that publish; in limits what the node may have.", "Connections",
		func(o *Options) *int { return &o.Connections }, 1, connectionsMax).usedBy("connect"),
	wholeSetting("events", GroupLoad, "Events published, a phase; in resume of each topic.", "Events", func(o *Options) *int { return &o.Events }, 1, eventsMax),
	sizeSetting("payload", GroupLoad, "Data of an event.", "PayloadBytes", func(o *Options) *int { return &o.PayloadBytes }, payloadBytesMin, payloadMax),
	wholeSetting("pairs", GroupLoad, "Phases with and without, or here and there, in turn.", "Pairs", func(o *Options) *int { return &o.Pairs }, 1, pairsMax),
	timeSetting("interval", GroupLoad, "Time between publishes, open loop.", "Interval", func(o *Options) *time.Duration { return &o.Interval }, time.Nanosecond),
	timeSetting("duration", GroupLoad, "Length of the measured part.", "Duration", func(o *Options) *time.Duration { return &o.Duration }, time.Millisecond),
	choiceSetting("pacing", GroupLoad, "What the next event of a fan-out waits for.", "Pacing", func(o *Options) *string { return &o.Pacing },
		pacingLockstep, pacingBurst, pacingInterval),
	rateSetting("rate", GroupLoad, "Connects, events or lines, as the scenario says.", "Rate", func(o *Options) *float64 { return &o.Rate }).usedIf(func(c Scenario) bool { return c.spreads || c.Name == connect.Name }),
	topicsSetting("topics", GroupLoad, "Topics that the streams share.", "Topics", func(o *Options) *int { return &o.Topics }, topicsMax),
	wholeSetting("depth", GroupLoad, "Events that a client has missed.", "Depth", func(o *Options) *int { return &o.Depth }, 1, eventsMax),
	wholeSetting("lines", GroupLoad, "Lines of one batch.", "Lines", func(o *Options) *int { return &o.Lines }, 1, linesMax),
	wholeSetting("namespaces", GroupLoad, "Namespaces that the events are spread over.", "Namespaces", func(o *Options) *int { return &o.Namespaces }, 1, namespacesMax),
	wholeSetting("rounds", GroupLoad, "Rounds of faults.", "Rounds", func(o *Options) *int { return &o.Rounds }, 1, roundsMax),
	timeSetting("round-duration", GroupLoad, "Length of a round, unless a fault takes longer.", "RoundDuration", func(o *Options) *time.Duration { return &o.RoundDuration }, time.Millisecond),
	wholeSetting("nodes", GroupLoad, "Servers that share the store.", "Nodes", func(o *Options) *int { return &o.Nodes }, 1, nodesMax),
	choiceSetting("fsync", GroupLoad, "When the disk store flushes; of Redis its AOF: always, every second, or never.", "Fsync", func(o *Options) *string { return &o.Fsync },
		fsyncAlways, fsyncInterval, fsyncNever).usedBy("check"),
	choiceSetting("spool", GroupLoad, "Whether nodes keep on disk what Redis can't take now.", "Spool", func(o *Options) *string { return &o.Spool },
		spoolOn, spoolOff).usedBy("check"),
	textSetting("keep", GroupLoad, "Directory to write all logs of the check to.", "Keep", "a path", func(o *Options) *string { return &o.Keep }).usedBy("check"),
	choiceSetting("store", GroupLoad, "What servers keep events in; failover, in check, is Redis with a replica and Sentinels.", "Store", func(o *Options) *string { return &o.Store }, storeMemory, storeDisk, storeRedis, storeFailover),
	shareSetting("server-cpu", GroupLoad, "Share of processors that the server gets, by a control group.", "ServerCPU", func(o *Options) *float64 { return &o.ServerCPU }),
	choiceSetting("load", GroupLoad, "What there is too much of.", "Load", func(o *Options) *string { return &o.Load }, loadConnections, loadPublishes, loadBoth, loadAll),
	choiceSetting("stubborn", GroupLoad, "Whether clients come back at once, whatever they are told.", "Stubborn", func(o *Options) *string { return &o.Stubborn }, stubbornOn, stubbornOff),
	timeSetting("hold", GroupLoad, "How long a client that is served keeps its stream.", "Hold", func(o *Options) *time.Duration { return &o.Hold }, time.Millisecond),
	settleSetting("settle", GroupLoad, "How long memory has to stay the same to count as settled.", "Settle"),
	wholeSetting("workers", GroupClient, "Processes that hold the streams; by default this one, or as many as its limit of open files asks for.", "Workers",
		func(o *Options) *int { return &o.Workers }, 1, workersMax).usedIf(func(c Scenario) bool { return c.spreads }),
	wholeSetting("sources", GroupClient, "Client addresses 127.0.0.1, .2 and so on.", "Sources", func(o *Options) *int { return &o.Sources }, 1, sourcesMax).usedByAll(),
	seedSetting("seed", GroupClient, "Of everything random.", "Seed", func(o *Options) *uint64 { return &o.Seed }).usedByAll(),

	textSetting("url", GroupServer, "A server that runs already; nothing is started then.", "URL", "http://HOST:PORT", func(o *Options) *string { return &o.URL }).usedByAll(),
	wholeSetting("pid", GroupServer, "Process of the server at --url, for what it costs; its children included.", "PID", func(o *Options) *int { return &o.PID }, 1, 1<<22).usedByAll(),
	textSetting("admin", GroupServer, "Admin port of the server at --url.", "Admin", "HOST:PORT", func(o *Options) *string { return &o.Admin }).usedByAll(),

	choiceSetting("dialect", GroupWire, "How exact the server is: throng, to the byte; or sse, any server of event streams.", "Dialect",
		func(o *Options) *string { return &o.Dialect }, dialectThrong, dialectSSE).usedByAll(),
	textSetting("subscribe-path", GroupWire, "Path of a stream. {ns}, {topic} and {i} are filled in.", "SubscribePath", "a path, such as "+throngWire.SubscribePath,
		func(o *Options) *string { return &o.SubscribePath }).usedByAll(),
	textSetting("publish-path", GroupWire, "Path of a publish. {ns}, {topic}, {data} and {i} are filled in.", "PublishPath", "a path, such as "+throngWire.PublishPath,
		func(o *Options) *string { return &o.PublishPath }).usedByAll(),
	textSetting("publish-method", GroupWire, "Method of a publish.", "PublishMethod", "a method, such as POST", func(o *Options) *string { return &o.PublishMethod }).usedByAll(),
	textSetting("publish-body", GroupWire, "Body of a publish. {ns}, {topic}, {data} and {i} are filled in.", "PublishBody", "text with {data}",
		func(o *Options) *string { return &o.PublishBody }).usedByAll(),
	listSetting("header", GroupWire, "Header of every request.", "Headers", "\"Name: value\"", func(o *Options) *[]string { return &o.Headers }).usedByAll(),
}

// Settings lists all settings in the order in which they are explained.
func Settings() []Setting { return slices.Clone(settings) }

// Set reads text into o. The error names what would be accepted.
func (s Setting) Set(o *Options, text string) error {
	if err := s.set(o, strings.TrimSpace(text)); err != nil {
		return fmt.Errorf("--%s: %q is refused; accepted: %s", s.Name, text, s.Accepts)
	}
	return nil
}

// UsedBy says whether the setting means anything to a scenario.
func (s Setting) UsedBy(c Scenario) bool {
	return s.when != nil && s.when(c) || s.text(c.Defaults) != ""
}

// Default is what a scenario takes without the setting, as Set reads it; empty: nothing,
// or that of the Wire.
func (s Setting) Default(c Scenario) string { return s.text(c.Defaults) }

func (s Setting) usedByAll() Setting {
	s.when = func(Scenario) bool { return true }
	return s
}

func (s Setting) usedIf(when func(Scenario) bool) Setting {
	s.when = when
	return s
}

func (s Setting) usedBy(scenarios ...string) Setting {
	s.when = func(c Scenario) bool { return slices.Contains(scenarios, c.Name) }
	return s
}

// Asks lists the settings of the load that a scenario takes, as flags with its defaults:
// "--streams 15000 --rate …".
func (c Scenario) Asks() []string {
	var all []string
	for _, s := range settings {
		if s.Group != GroupLoad || !s.UsedBy(c) {
			continue
		}
		value := s.Default(c)
		if value == "" {
			value = "…"
		}
		all = append(all, "--"+s.Name+" "+value)
	}
	return all
}

// Deviations lists the settings of the load in which the options of a report differ from
// what the scenario takes by itself, as flags.
func (c Scenario) Deviations(o Options) []string {
	plain := Options{}.or(c.Defaults)
	var all []string
	for _, s := range settings {
		if s.Group == GroupLoad && s.UsedBy(c) && s.text(o) != s.text(plain) {
			all = append(all, "--"+s.Name+" "+s.text(o))
		}
	}
	return all
}

// Check says what is impossible about options for a scenario, all at once, by the names
// of the settings.
func (o Options) Check(c Scenario) error {
	given := o
	o = o.or(c.Defaults)
	var all []string
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	for _, s := range settings {
		refuse(s.text(given) != "" && !s.UsedBy(c), "--%s is not for %s, which asks for %s", s.Name, c.Name, strings.Join(c.Asks(), " "))
	}
	refuse(c.Defaults.StreamsLow > 0 && o.StreamsLow >= o.Streams, "--streams-low %d: must be less than --streams %d", o.StreamsLow, o.Streams)
	refuse(o.Topics == topicsOwn && c.Name != resume.Name, "--topics own is for %s alone; accepted: a number", resume.Name)
	refuse(o.URL != "" && len(o.Server) > 0, "--url %s: a server that runs already and one to start are given; one of them is measured", o.URL)
	refuse(o.URL == "" && o.PID != 0, "--pid is for the server at --url; one that is started is known")
	refuse(o.URL == "" && o.Admin != "", "--admin is for the server at --url; the command of one that is started has {admin} in it")
	if _, err := o.Wire.dialect(); err != nil {
		all = append(all, strings.TrimPrefix(err.Error(), "bench: "))
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(all, "\n"))
}
