# Every command of the project. "make" alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Folders with Go code, tests of the whole aside: those start the real binary.
UNIT = $$(go list ./... | grep -v '^throng/test/')
# Seconds for each fuzz test, and how often each benchmark runs.
FUZZTIME ?= 3s
BENCHTIME ?= 1x
BENCH ?= .

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: go
go:
	@scripts/need go

.PHONY: build
build: go ## build the binary: bin/throng
	@mkdir -p bin
	go build -o bin/ ./cmd/throng

.PHONY: serve
serve: build ## build and start the server on 127.0.0.1:8080 (ARGS="--heartbeat 5s" adds options)
	bin/throng serve $(ARGS)

.PHONY: test
test: check unit stores race fuzz e2e bench ## everything: check, unit, stores, race, fuzz, e2e and each benchmark once

.PHONY: check
check: fmt vet lint tidy house ports ## what needs no run: fmt, vet, lint, tidy, house, ports

.PHONY: fmt
fmt: go ## is every file formatted?
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt would change these files; run: gofmt -w $$files" >&2; exit 1; fi

.PHONY: vet
vet: go ## go vet
	go vet ./...

.PHONY: lint
lint: go ## staticcheck
	go tool staticcheck ./...

.PHONY: tidy
tidy: go ## do go.mod and go.sum hold what the code needs, and no more?
	go mod tidy -diff

.PHONY: house
house: go ## the house's rules (internal/house)
	go test ./internal/house

.PHONY: ports
ports: go ## do the client and the wire format build on other systems?
	GOOS=darwin go vet ./client ./sse
	GOOS=windows go vet ./client ./sse

# Tests of what runs with Redis start a real one; without it they are left out, but in CI.
.PHONY: redis
redis: go
	@scripts/need redis-server || [ -z "$${CI:-}" ]

.PHONY: unit
unit: go redis ## unit tests
	go test -timeout 6m $(UNIT)

.PHONY: stores
stores: go redis ## the server's tests once more, on the disk store and on Redis
	THRONG_TEST_STORE=disk go test -timeout 8m ./server
	@if command -v redis-server >/dev/null; then THRONG_TEST_STORE=redis go test -timeout 8m ./server; \
	else echo "stores: LEFT OUT for Redis, redis-server is not installed" >&2; fi

.PHONY: race
race: go redis ## unit tests under the race detector, with plain writes where the others use io_uring
	@if scripts/need gcc; then THRONG_IO_URING=off CGO_ENABLED=1 go test -race -timeout 15m $(UNIT); \
	elif [ -n "$${CI:-}" ]; then exit 1; \
	else echo "race: LEFT OUT, the race detector needs gcc" >&2; fi

.PHONY: fuzz
fuzz: go ## every fuzz test for FUZZTIME (3s)
	@scripts/fuzz $(FUZZTIME)

.PHONY: e2e
e2e: build ## end-to-end tests: the real binary, real sockets
	@scripts/need curl node npm chromium
	go test -count=1 -timeout 4m ./test/...

.PHONY: bench
bench: go redis ## every benchmark BENCHTIME (1x); BENCH=Parse BENCHTIME=2s measures one
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

.PHONY: benchmarks
benchmarks: build ## every scenario of throng bench five times, into bench/record: hours, on an idle machine
	scripts/benchmarks
	go run ./bench/claims

.PHONY: benchmarks-quick
benchmarks-quick: build ## every scenario of throng bench once and small: ten minutes, no record
	scripts/benchmarks --quick

.PHONY: claims
claims: go ## write BENCHMARKS.md anew from the records in bench/record
	go run ./bench/claims

.PHONY: lab
lab: go ## N (100000) real sockets in one process, in a guest that allows it (bench/lab); N=1000000 takes half an hour
	@scripts/need qemu-system-x86_64 busybox
	@bench/lab/run $(or $(N),100000)

.PHONY: micro
micro: go redis ## every timing test five times, kept in bench/record/DATE-micro: 8 minutes at most
	go run ./bench/claims --record bench/record/$$(date +%F)-micro scripts/micro

.PHONY: proto
proto: go ## make the Go code of source/source.proto anew
	scripts/proto

.PHONY: vuln
vuln: go ## known vulnerabilities in what we use (needs the network)
	@scripts/vuln

.PHONY: clean
clean: ## remove what the targets made
	rm -rf bin
