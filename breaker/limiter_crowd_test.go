package breaker

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// crowd is a plant whose clients wait at its door, unseen, until they are looked at: then each
// is let in, or told when to come again, and does as it is told. That is what HTTP clients
// are: what is let in is never more than what can be worked off, and who was refused is
// silent for seconds.
type crowd struct {
	limiter  *Limiter
	random   *rand.Rand
	now      int64   // ns
	capacity float64 // a second
	refusal  float64 // cost of sending one away, of that of letting one in
	think    float64 // seconds between being served and coming again
	clients  comings
	line     []int64 // when those at the door came, ns

	busy    [3]float64 // of the last ticks, 0 to 1
	credit  float64    // work that may be done now, of one client
	worked  float64
	served  int
	refused int
	waits   []float64 // of those who were served, seconds
	rates   []float64
}

// comings are the times at which clients come, ns.
type comings []int64

func (c comings) Len() int           { return len(c) }
func (c comings) Less(i, j int) bool { return c[i] < c[j] }
func (c comings) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *comings) Push(v any)        { *c = append(*c, v.(int64)) }
func (c *comings) Pop() any {
	last := len(*c) - 1
	v := (*c)[last]
	*c = (*c)[:last]
	return v
}

// newCrowd is so many clients that they would be load times the capacity, all new.
func newCrowd(t *testing.T, capacity, load float64) *crowd {
	seed := testSeed(t)
	c := &crowd{random: rand.New(rand.NewPCG(seed, 2)), capacity: capacity, refusal: 0.2, think: 2}
	c.limiter = NewLimiter(LimiterOptions{Min: capacity / 100, Burst: 20 * time.Millisecond, Clock: func() int64 { return c.now }})
	c.join(load)
	return c
}

// join adds clients, who come as those do who were served.
func (c *crowd) join(load float64) {
	for range int(load * c.capacity * c.think) {
		heap.Push(&c.clients, c.now+int64(c.random.ExpFloat64()*c.think*1e9))
	}
}

// leave takes clients away that are not at the door.
func (c *crowd) leave(load float64) {
	c.clients = c.clients[:max(len(c.clients)-int(load*c.capacity*c.think), 0)]
	heap.Init(&c.clients)
}

// run goes on for some seconds, counted anew.
func (c *crowd) run(seconds float64) *crowd {
	c.served, c.refused, c.waits, c.rates = 0, 0, nil, nil
	for range int(seconds * 1000) {
		c.now += int64(time.Millisecond)
		for len(c.clients) > 0 && c.clients[0] <= c.now {
			c.line = append(c.line, heap.Pop(&c.clients).(int64))
		}
		c.work()
		if c.now/int64(time.Millisecond)%plantTickMs == 0 {
			c.tick()
		}
	}
	return c
}

// work does what a millisecond allows.
func (c *crowd) work() {
	c.credit = min(c.credit, 0) + c.capacity/1000
	for c.credit > 0 && len(c.line) > 0 {
		came := c.line[0]
		c.line = c.line[1:]
		cost := c.refusal
		if c.limiter.Allow() {
			cost = 0.7 + 0.6*c.random.Float64()
			c.served++
			c.waits = append(c.waits, float64(c.now-came)/1e9)
			heap.Push(&c.clients, c.now+int64(c.random.ExpFloat64()*c.think*1e9))
		} else {
			c.refused++
			again := (2 + 38*c.limiter.RefusedShare()) * (1 + c.random.Float64()/2)
			heap.Push(&c.clients, c.now+int64(again*1e9))
		}
		c.credit -= cost
		c.worked += cost
	}
}

func (c *crowd) tick() {
	c.busy[0], c.busy[1], c.busy[2] = c.busy[1], c.busy[2], min(c.worked*1000/plantTickMs/c.capacity, 1)
	c.worked = 0
	mean := (c.busy[0] + c.busy[1] + c.busy[2]) / 3
	c.limiter.Tick(mean / plantTarget * (1 + 0.02*c.random.NormFloat64()))
	c.rates = append(c.rates, c.limiter.Rate()/c.capacity)
}

// goodput is of the capacity, for what ran in so many seconds.
func (c *crowd) goodput(seconds float64) float64 { return float64(c.served) / c.capacity / seconds }

func (c *crowd) wait99() float64 {
	if len(c.waits) == 0 {
		return math.Inf(1)
	}
	return quantile(c.waits, 0.99)
}
