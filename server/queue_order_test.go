package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"throng/replay"
	"throng/sse"
)

func TestQueueShed_LowGoesAtOnce(t *testing.T) {
	for _, policy := range []string{"shed", "shed-oldest"} {
		stall(t, policy, nil, func(s *stalled) {
			s.want("with room", []*asked{s.ask("x", "0", priorityLow, "")}, "stored")
			s.turn()
			s.fill()
			low := s.ask("x", "1", priorityLow, "k")
			if low.code() != "shed" || low.took != 0 {
				t.Errorf("%s: a low one: %s after %v", policy, low.code(), low.took)
			}
			s.want("others", []*asked{s.ask("x", "2", priorityNormal, ""), s.ask("x", "3", priorityHigh, "")}, "waits", "waits")
			s.wantShed(shedQueueShed, 1)
			s.turn()
			s.wait(lineLook)
			s.want("the key of what was shed", []*asked{s.ask("x", "4", priorityLow, "k")}, "stored")
			s.wantStored("0", "2", "3", "4")
		})
	}
}

// Of those that wait the ones that matter more stay; among equals the newest or the oldest
// goes. Survivors keep their order.
func TestQueueShed_WhatMattersMoreTakesThePlace(t *testing.T) {
	for policy, want := range map[string]string{
		"shed":        "n0 n1 n2 n3 h8 h9 h10 h11",
		"shed-oldest": "n4 n5 n6 n7 h8 h9 h10 h11",
	} {
		stall(t, policy, nil, func(s *stalled) {
			s.fill()
			all := map[string]*asked{}
			for i := range 8 {
				all[fmt.Sprint("n", i)] = s.ask("x", fmt.Sprint("n", i), priorityNormal, "")
			}
			s.wait(lineLook)
			for i := range 4 {
				all[fmt.Sprint("h", 8+i)] = s.ask("x", fmt.Sprint("h", 8+i), priorityHigh, "")
			}
			s.wait(lineLook)
			for name, a := range all {
				expected := "shed"
				if strings.Contains(want, name) {
					expected = "waits"
				}
				if a.code() != expected {
					t.Errorf("%s: %s: %s", policy, name, a.code())
				}
			}
			s.wantShed(shedQueueShed, 4)
			for range 5 {
				s.turn()
				s.wait(lineLook)
			}
			s.wantStored(strings.Fields(want)...)
		})
	}
}

func TestQueueShed_EqualsAreShedByAge(t *testing.T) {
	for policy, want := range map[string]string{"shed": "0 1 2 3 4 5 6 7", "shed-oldest": "4 5 6 7 8 9 10 11"} {
		stall(t, policy, nil, func(s *stalled) {
			s.fill()
			for i := range 12 {
				s.ask("x", fmt.Sprint(i), priorityNormal, "")
				s.wait(lineLook)
			}
			s.wantShed(shedQueueShed, 4)
			for range 5 {
				s.turn()
				s.wait(lineLook)
			}
			s.wantStored(strings.Fields(want)...)
		})
	}
}

func TestQueueConflate_NewestOfATopicSurvives(t *testing.T) {
	stall(t, "conflate", nil, func(s *stalled) {
		s.fill()
		all := []*asked{
			s.ask("a", "a1", priorityNormal, ""), s.ask("b", "b1", priorityNormal, "k"), s.ask("a b", "ab1", priorityNormal, ""),
			s.ask("a", "a2", priorityLow, ""), s.ask("b a", "ab2", priorityNormal, ""), s.ask("b", "b2", priorityNormal, ""),
		}
		s.wait(lineLook)
		s.want("what waits", all, "conflated", "conflated", "conflated", "waits", "waits", "waits")
		s.wantShed(shedQueueConflated, 3)
		if s.hub.queue.shut() {
			t.Error("that was no refusal")
		}
		s.turn()
		s.wait(lineLook)
		s.want("with room", all, "conflated", "conflated", "conflated", "stored", "stored", "stored")
		if again := s.ask("b", "b1", priorityNormal, "k"); again.code() != "stored" || again.record.Duplicate {
			t.Error("the key of what was conflated is known")
		}
		s.wantStored("a2", "ab2", "b2", "b1")
	})
}

// Where all places are taken, a newer event still takes that of an older one.
func TestQueueConflate_AtTheBound(t *testing.T) {
	stall(t, "conflate", nil, func(s *stalled) {
		s.fill()
		var all []*asked
		for i := range s.hub.o.MailboxPublishMax {
			all = append(all, s.ask(fmt.Sprint("t/", i), fmt.Sprint(i), priorityNormal, ""))
		}
		s.wait(lineLook)
		more, newer := s.ask("t/more", "more", priorityHigh, ""), s.ask("t/3", "newer", priorityNormal, "")
		s.wait(lineLook)
		s.want("at the bound", []*asked{all[2], all[3], more, newer}, "waits", "conflated", "overloaded", "waits")
		again := s.ask("t/5", "again", priorityNormal, "")
		s.wait(lineLook)
		for range 5 {
			s.turn()
			s.wait(lineLook)
		}
		s.want("with room", []*asked{all[5], again}, "conflated", "stored")
		s.wantStored("0", "1", "2", "4", "6", "7", "newer", "again")
	})
}

// A retry is older than it looks, so what has a key takes nobody's place; it gives its own
// up, with what it left alone.
func TestQueueConflate_AKeyTakesNoPlace(t *testing.T) {
	stall(t, "conflate", nil, func(s *stalled) {
		if first := s.ask("a", "old", priorityNormal, "k"); first.code() != "stored" {
			t.Fatal(first.code())
		}
		s.turn()
		s.fill()
		newer, retry := s.ask("a", "new", priorityNormal, ""), s.ask("a", "old", priorityNormal, "k")
		s.wait(lineLook)
		s.want("a retry behind a newer one", []*asked{newer, retry}, "waits", "waits")
		newest := s.ask("a", "newest", priorityNormal, "")
		s.wait(lineLook)
		s.want("an even newer one", []*asked{newer, retry, newest}, "conflated", "conflated", "waits")
		s.turn()
		s.wait(lineLook)
		s.wantStored("old", "newest")
	})
}

// What waited too long is gone from what may be conflated as well.
func TestQueueConflate_TimeRunsOut(t *testing.T) {
	stall(t, "conflate", nil, func(s *stalled) {
		s.fill()
		old := s.ask("a", "1", priorityNormal, "")
		s.wait(s.hub.o.PublishTimeout)
		s.want("its time is over", []*asked{old}, "overloaded")
		next := s.ask("a", "2", priorityNormal, "")
		s.wait(lineLook)
		s.want("a newer one", []*asked{next}, "waits")
		s.turn()
		s.wait(lineLook)
		s.wantStored("2")
	})
}

// A chunk of a batch is judged event by event, and answered as a whole.
func TestQueue_ChunkOfMixedEvents(t *testing.T) {
	for policy, want := range map[string]string{
		"block": "1:ok 2:ok 3:ok 4:ok", "refuse": "1:queue_full 2:queue_full 3:queue_full 4:queue_full",
		"shed": "1:ok 2:shed 3:ok 4:ok", "conflate": "1:conflated 2:ok 3:conflated 4:ok",
	} {
		stall(t, policy, nil, func(s *stalled) {
			s.fill()
			p := s.hub.pendingFor(4)
			add := func(topic string, rank priority) {
				p.add(replay.Record{Event: &sse.Event{Topics: []string{topic}, Data: []byte("x")}}, rank)
			}
			add("a", priorityNormal)
			add("b", priorityLow)
			add("a", priorityHigh)
			add("a", priorityNormal)
			done := make(chan string, 1)
			go func() {
				_, err := s.publish(p)
				var told []string
				for i, r := range p.records {
					code := "ok"
					if r.Err != nil {
						code = queueRefusal(r.Err).code
					} else if r.Event.ID == (sse.ID{}) {
						code = "no ID"
					}
					told = append(told, fmt.Sprintf("%d:%s", i+1, code))
				}
				if err != nil {
					told = append(told, err.Error())
				}
				done <- strings.Join(told, " ")
			}()
			s.wait(lineLook)
			s.turn()
			s.wait(lineLook)
			if got := <-done; got != want {
				t.Errorf("%s: %s, want %s", policy, got, want)
			}
		})
	}
}

// The policy of a namespace is its own; the others have the one of all.
func TestQueue_PolicyOfANamespace(t *testing.T) {
	o := Defaults()
	o.QueuePolicy, o.QueuePolicies = "refuse", []string{"a=shed", "b=conflate", "a=shed-oldest"}
	for name, want := range map[string]queuePolicy{"a": policyShedOldest, "b": policyConflate, "c": policyRefuse} {
		if got := o.policyOf(name); got != want {
			t.Errorf("%s has %s", name, queuePolicies[got])
		}
	}
}

// With --breakers=off nothing is opened; the policies go by room alone.
func TestQueue_BreakersOff(t *testing.T) {
	stall(t, "refuse", func(o *Options) { o.Breakers = "off" }, func(s *stalled) {
		s.fill()
		for range 20 {
			s.want("without room", []*asked{s.ask("x", "0", priorityNormal, "")}, "queue_full")
			s.wait(100 * time.Millisecond)
			s.hub.queue.look(time.Now())
		}
		if s.hub.queue.shut() || len(s.srv.board.Statuses()) > 0 {
			t.Error("there is a breaker")
		}
		s.turn()
		s.want("with room", []*asked{s.ask("x", "1", priorityNormal, "")}, "stored")
	})
}
