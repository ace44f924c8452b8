package house

import (
	"strings"
	"testing"
)

// TestRules_CatchWhatTheyForbid gives every rule a file that breaks it and one that
// does not: a rule that can't fail holds nothing.
func TestRules_CatchWhatTheyForbid(t *testing.T) {
	long := strings.Repeat("\n", 320)
	for name, c := range map[string]struct {
		rule           func(*file) []fault
		path           string
		broken, proper string
	}{
		"floor up":          {floorFaults, "replay/a.go", `package replay; import "throng/server"`, `package replay; import "throng/sse"`},
		"floor sideways":    {floorFaults, "replay/a.go", `package replay; import "throng/client"`, `package replay; import "throng/internal/invariant"`},
		"floor below":       {floorFaults, "server/loops/a.go", `package loops; import "throng/server"`, `package loops; import "throng/topics"`},
		"floor of part":     {floorFaults, "bench/claims/a.go", `package main; import "throng/server"`, `package main; import "throng/bench/internal/sock"`},
		"room for tests":    {floorFaults, "server/a.go", `package server; import "throng/internal/simio"`, `package server; import "throng/internal/obs"`},
		"floor of test":     {floorFaults, "replay/a_test.go", `package replay; import "throng/server"`, `package replay; import "throng/client"`},
		"room without":      {floorFaults, "attic/a.go", `package attic`, ``},
		"key":               {keyFaults, "server/a.go", `package server; import "github.com/cloudwego/netpoll"`, `package server; import "github.com/valyala/bytebufferpool"`},
		"key of a part":     {keyFaults, "server/a.go", `package server; import "github.com/redis/rueidis/rueidiscompat"`, `package server; import "net"`},
		"key in test":       {keyFaults, "server/a_test.go", `package server; import "go.yaml.in/yaml/v3"`, `package server; import "unsafe"`},
		"unknown module":    {keyFaults, "server/a.go", `package server; import "example.org/left"`, `package server; import "throng/sse"`},
		"barred":            {barredFaults, "bench/a.go", `package bench; import "throng/server/loops"`, `package bench; import "throng/client"`},
		"barred std":        {barredFaults, "httpparse/a.go", `package httpparse; import "net/http"`, `package httpparse; import "net/netip"`},
		"room name":         {roomNameFaults, "server/util/a.go", `package util`, ``},
		"file length":       {fileLengthFaults, "sse/a.go", "package sse" + long, "package sse"},
		"function length":   {funcLengthFaults, "sse/a.go", "package sse\nfunc a() {" + long + "}", "package sse\nfunc a() {}" + long},
		"go statement":      {birthFaults, "sse/a.go", `package sse; func a() { go a() }`, `package sse; func a() { a() }`},
		"method Go":         {birthFaults, "sse/a.go", `package sse; func a() { w.Go(a) }`, `package sse; func a() { w.Gone(a) }`},
		"AfterFunc":         {birthFaults, "sse/a.go", `package sse; func a() { time.AfterFunc(1, a) }`, `package sse; func a() { time.After(1) }`},
		"exported function": {exportedFaults, "sse/a.go", `package sse; func A() {}`, "package sse\n// A is.\nfunc A() {}\nfunc b() {}"},
		"exported method":   {exportedFaults, "sse/a.go", "package sse\nfunc (t *T[K]) A() {}", "package sse\nfunc (t *t) A() {}"},
		"exported types":    {exportedFaults, "sse/a.go", "package sse\n// Two.\ntype (\nA int\n)", "package sse\n// A is.\ntype A int"},
		"exported constant": {exportedFaults, "sse/a.go", "package sse\nconst A = 1", "package sse\n// States.\nconst (\nA = 1\n)"},
		"receiver":          {receiverFaults, "sse/a.go", `package sse; func (self T) a() {}`, `package sse; func (t T) a() {}`},
		"test name":         {testNameFaults, "sse/a_test.go", `package sse; func TestIt() {}`, `package sse; func TestIt_Holds() {}`},
		"benchmark's place": {testNameFaults, "sse/a_test.go", `package sse; func BenchmarkIt() {}`, `package sse; func FuzzIt() {}`},
		"exported String":   {exportedFaults, "sse/a.go", "package sse\nfunc (t T) A() {}", "package sse\nfunc (t T) String() string { return \"\" }"},
		"comment's home":    {packageCommentFaults, "sse/a.go", "// Package sse is.\npackage sse", "package sse"},
		"comment missing":   {packageCommentFaults, "sse/doc.go", "package sse", "// Package sse is.\npackage sse"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := run(t, c.rule, c.path, c.broken); len(got) == 0 {
				t.Errorf("%s: the rule passed %q", c.path, c.broken)
			}
			if c.proper == "" {
				return
			}
			for _, f := range run(t, c.rule, c.path, c.proper) {
				t.Errorf("the rule refused %q: %s", c.proper, f)
			}
		})
	}
}

func run(t *testing.T, rule func(*file) []fault, path, src string) []fault {
	t.Helper()
	f, err := parse(path, src)
	if err != nil {
		t.Fatal(err)
	}
	return rule(f)
}

func TestRules_CatchForbiddenWords(t *testing.T) {
	for _, w := range forbiddenWords {
		if len(wordFaults(text{"README.md", "first\nsome " + w.word + " here"})) != 1 {
			t.Errorf("the word %q passed", w.word)
		}
	}
	if f := wordFaults(text{"scripts/run", "mktemp -d /tmp/throng.X" + "XXXXX"}); len(f) != 0 {
		t.Errorf("a part of a longer word was refused: %v", f)
	}
}

func TestFault_ReadsLikeAdvice(t *testing.T) {
	got := run(t, floorFaults, "sse/a.go", "package sse\n\nimport \"throng/server\"")[0].String()
	want := "sse/a.go:3: sse (floor 1) imports server (floor 5); an arrow only goes down; turn the call around with an interface that sse declares, or move the code"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
