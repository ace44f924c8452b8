package bench

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"throng/bench/check"
)

// checker asks whether the promise of delivery is kept while nodes, their store and their
// clients are struck by faults, round after round: it starts the nodes, and a real Redis
// where the store is one, kills and pauses them, cuts and moves clients, and compares
// what was acknowledged with what every subscriber was given. What is compared, and how,
// is told by package check.
var checker = Scenario{
	Name:  "check",
	About: "nodes, store and clients are killed and cut at random: is what was acknowledged delivered, once, in order?",
	Defaults: Options{
		Streams: 24, Connections: 8, Rate: 400, PayloadBytes: 200, Namespaces: 3,
		Rounds: 200, RoundDuration: time.Second, Store: storeMemory, Nodes: 1,
	},
	body: runCheck,
}

// storeFailover is a value of Options.Store beside the others: Redis with a replica and
// Sentinels, whose masters are killed.
const storeFailover = "failover"

// promises are what is owed by store.
var promises = map[string]check.Promise{
	storeMemory:   {},
	storeDisk:     {Survives: true},
	storeRedis:    {Survives: true, Doubts: true},
	storeFailover: {Survives: true, Doubts: true, MayLose: true},
}

func runCheck(r *run) error {
	if r.o.URL != "" {
		return fmt.Errorf("bench: --url %s: check starts and kills its nodes itself", r.o.URL)
	}
	f, err := r.startField(checkOptions)
	if err != nil {
		return err
	}
	return errors.Join(r.strike(f), f.stop())
}

// strike lets faults happen, and reports.
func (r *run) strike(f *checkField) error {
	promise := promises[r.o.Store]
	if r.o.Store == storeDisk && r.o.Fsync == fsyncNever || r.o.Store == storeRedis && r.o.Fsync == fsyncInterval {
		promise.MayLose = true
	}
	r.phase(fmt.Sprintf("check, seed %d", r.o.Seed), int64(r.o.Rounds))
	result, err := check.Run(r.ctx, check.Config{
		Seed: r.o.Seed, Rounds: r.o.Rounds, Round: r.o.RoundDuration, Nodes: f.addrs(),
		Lineages: r.o.Streams, Publishers: r.o.Connections, Namespaces: r.o.Namespaces,
		Rate: r.o.Rate, Payload: r.o.PayloadBytes, Promise: promise, Faults: f.faults(),
		Patience: min(r.o.patience, checkPatience),
		Tell: func(round int, text string) {
			r.logf("round %d of %d: %s", round, r.o.Rounds, text)
			r.step(int64(round))
		},
	})
	if result != nil {
		r.tellCheck(result)
		if r.o.Keep != "" {
			err = errors.Join(err, result.Keep(r.o.Keep))
		}
	}
	return err
}

// checkPatience is how long lineages may stand still, short of the end: longer than a
// failover, and than a publisher waits for a store that is away.
const checkPatience = 20 * time.Second

// tellCheck reports what a run came to.
func (r *run) tellCheck(c *check.Result) {
	p := &r.report
	for _, f := range []struct {
		name  string
		count float64
	}{
		{"rounds", float64(c.Rounds)},
		{"events acknowledged", float64(c.Acknowledged)},
		{"events not acknowledged", float64(c.Unacknowledged)},
		{"of these in the log", float64(c.Surplus)},
		{"events accepted to be sent later", float64(c.Spooled)},
		{"answers to a key that had its event", float64(c.Again)},
		{"requests and lines that failed", float64(c.Failed)},
		{"events received", float64(c.Received)},
		{"lineages", float64(c.Lineages)},
		{"streams opened", float64(c.Connections)},
		{"streams refused", float64(c.Refused)},
		{"gaps told", float64(c.Gaps)},
		{"gaps told in doubt", float64(c.Doubts)},
		{"events told as lost, over all lineages", float64(c.ToldLost)},
		{"acknowledged events that the store lost", float64(c.LostEvents)},
	} {
		p.figure(f.name, f.count, "")
	}
	for _, f := range c.Faults {
		p.figure("faults, "+f.Name, float64(f.Times), "")
	}
	p.check("rounds", int64(r.o.Rounds), int64(c.Rounds))
	for _, kind := range check.Kinds() {
		p.check("violations, "+string(kind), 0, int64(c.Counts[kind]))
	}
	for _, v := range c.Violations[:min(len(c.Violations), checkNotes)] {
		p.note("%s: seed %d: %s", strings.ToUpper(string(v.Kind)), r.o.Seed, v.Text)
	}
}

// checkNotes is how many violations a report shows; --keep writes more.
const checkNotes = 10
