# Carillon: `make help` lists what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# How long each fuzz function runs.
FUZZTIME ?= 20s
# How long `make chaos` strikes, from which seed (none draws one), and the page to whose table it adds a row.
MINUTES ?= 60
SEED ?=
TABLE ?=
# The row of the matrix that `make fault` plays, as docs/reliability.md names it.
ROW ?= leader-sigkill
# Arguments for `make dev` and `make bench`, as in `make dev ARGS="--nodes 5"`.
ARGS ?=

# The race detector needs cgo; everything that is shipped is built without.
export CGO_ENABLED ?= 1

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/carillon, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/carillon

.PHONY: test
test: race ## all unit and conformance tests under the race detector

.PHONY: race
race: redis ## the unit and conformance tests under the race detector
	$(GO) test -race -timeout 8m $$($(GO) list ./... | grep -v -e '/test/e2e$$' -e '/test/model$$')
	$(GO) test ./test/model # has no goroutine, and would take five times as long

.PHONY: e2e
e2e: redis ## the end-to-end tests: every fault of the matrix, and ten leader kills in a row
	scripts/e2e.sh 10 . 9m

.PHONY: fault
fault: redis ## play one row of the matrix of faults: make fault ROW=leader-sigkill
	scripts/e2e.sh 10 '^TestMatrix$$/^$(ROW)$$' 9m

.PHONY: chaos
chaos: redis ## random faults for MINUTES (60) from SEED (random), then every run is judged
	$(GO) run ./test/e2e/chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(TABLE),--table $(TABLE))

.PHONY: reliability
reliability: e2e ## play the matrix and write its results into docs/reliability.md
	$(GO) run ./test/e2e/report

.PHONY: takeovers
takeovers: redis ## kill 50 leaders, end 20, stop 5, on a quiet machine, and write the takeovers into docs/reliability.md
	status=0; CARILLON_E2E_LONG=1 scripts/e2e.sh 50 '^TestLeader' 9m || status=$$?; \
	  $(GO) run ./test/e2e/report --takeovers; exit $$status

.PHONY: redis
redis:
	@scripts/redis-server.sh

.PHONY: lint
lint: bin/golangci-lint ## gofmt, go vet and the pinned golangci-lint
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go' | grep -v /testdata/)); \
	  if [ -n "$$unformatted" ]; then printf 'not formatted, run gofmt -w on:\n%s\n' "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	bin/golangci-lint run ./...

# The linter is pinned by tools/go.mod, and built again when that changes.
bin/golangci-lint: tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 $(GO) build -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: tools-test
tools-test: redis ## check Dockerfile, docker-compose.yml and deploy/ against their schemas, and test bench/
	cd tools && $(GO) test -count=1 ./... # uncached: what is read lies outside of the module
	cd bench && $(GO) vet ./... && $(GO) test ./...

.PHONY: pictures
pictures: ## draw docs/pictures anew from what the scheduler does, and the words beneath them
	$(GO) test -count=1 ./carillontest/internal/pictures -update

.PHONY: fuzz
fuzz: ## run every fuzz function for FUZZTIME (20s)
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: redis ## measure beside peers, about ten minutes, and write docs/benchmarks.md; ARGS="-quick -only burst"
	cd bench && CGO_ENABLED=0 $(GO) build -o ../bin/bench .
	bin/bench -docs docs $(ARGS)

.PHONY: dev
dev: build ## a cluster of three nodes in one process, with etcd and Redis
	exec bin/carillon dev $(ARGS)

.PHONY: demo-failover
demo-failover: redis ## kill the leader of three processes and account for every run
	$(GO) run ./test/e2e/demo

.PHONY: up
up: ## start three nodes, etcd and Redis with docker compose
	docker compose up --build --detach --wait

.PHONY: down
down: ## stop what up started, and delete its data
	docker compose down --volumes
