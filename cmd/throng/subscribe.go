package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"throng/client"
)

type subscribeCmd struct {
	Topic []string `sep:"none" required:"" placeholder:"TOPIC" help:"Topic, or pattern: + stands for one level, # for the rest. May be repeated."`
	NS    string   `name:"ns" placeholder:"NAME" help:"Namespace; the server's default is \"default\"."`
	Since string   `placeholder:"ID" help:"Begin after this ID, or with the \"earliest\" that is kept; else with what comes."`
	JSON  bool     `help:"One JSON object an event: {\"id\",\"topics\",\"event\",\"data\"}; else only its data."`
	Count uint     `placeholder:"N" help:"End after N events; 0: never."`
	URL   string   `arg:"" optional:"" name:"URL" env:"-" default:"${url}" help:"The server (default ${url})."`
}

// Help gives examples to kong.
func (subscribeCmd) Help() string {
	return `A lost connection is resumed after the last event, without loss; what the server could not give back is told
on standard error as a gap (with --json: by an event named throng.gap, too).

Examples:
  throng subscribe --topic 'news/#'
  throng subscribe --topic user/42 --topic 'all/+' --since earliest --count 10
  throng subscribe --topic 'logs/#' --json | jq .data`
}

// Run prints events until --count, a signal, or a refusal.
func (c *subscribeCmd) Run(p *process) error {
	from, err := client.New(c.URL, client.Options{})
	if err != nil {
		return usageError{err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s := from.Subscribe(ctx, client.SubscribeOptions{
		Namespace: c.NS, Topics: c.Topic, Since: c.Since, JSON: c.JSON, OnState: tellState(p.stderr)})
	defer s.Close()
	print := c.printer(p.stdout)
	for seen := uint(0); c.Count == 0 || seen < c.Count; {
		e, err := s.Next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if e.IsGap() {
			fmt.Fprintf(p.stderr, "throng: gap: not all that followed %s is kept; it goes on at %s\n", e.Gap().Requested, e.Gap().Earliest)
		} else {
			seen++
		}
		if err := print(e); err != nil {
			return err
		}
	}
	if id := s.LastID(); id != "" {
		fmt.Fprintf(p.stderr, "throng: to go on from here: --since %s\n", id)
	}
	return nil
}

// printer writes one event a line: its data, or all of it as JSON.
func (c *subscribeCmd) printer(w io.Writer) func(client.Event) error {
	if !c.JSON {
		return func(e client.Event) error {
			if e.IsGap() {
				return nil
			}
			_, err := fmt.Fprintln(w, e.Data)
			return err
		}
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return func(e client.Event) error {
		return out.Encode(struct {
			ID     string   `json:"id"`
			Topics []string `json:"topics"`
			Event  string   `json:"event,omitempty"`
			Data   string   `json:"data"`
		}{e.ID, e.Topics, e.Name, e.Data})
	}
}

// tellState says when a connection is lost, and when it is back.
func tellState(w io.Writer) func(client.State, error) {
	lost := false
	return func(s client.State, why error) {
		switch {
		case s == client.Recovering:
			lost = true
			fmt.Fprintf(w, "throng: %v; trying again\n", why)
		case s == client.Connected && lost:
			lost = false
			fmt.Fprintln(w, "throng: connected again")
		}
	}
}
