# SPDX-License-Identifier: Apache-2.0
# Every target sets itself up from a fresh clone.

.PHONY: docs demo screenshots test check p4 bench sim evaluate load build generate clean man load-experiment kill-experiment

# What `npm ci` left is current as long as the lock file is older.
node_modules/.package-lock.json: package-lock.json
	npm ci --no-fund --no-audit
	@touch $@

build: node_modules/.package-lock.json
	npm run --silent build

# ARGS passes flags on: make demo ARGS="--naive", make demo ARGS="--target bmv2"
demo: build
	node dist/demo/main.js $(ARGS)

# The pictures of the dashboard in docs/images; needs a Chromium.
screenshots: build
	node dist/demo/dashboard/screenshots.js

check: node_modules/.package-lock.json
	npm run --silent check

test: build check
	npm test --silent

# Needs p4c-bm2-ss; the output is committed. With TNA_INCLUDE=folder-of-tna.p4 and p4test the TNA shell is type-checked too.
p4: build
	node dist/p4/compile.js

bench: build
	node dist/bench/main.js $(ARGS)

# make sim RUNS=10000 runs many worlds on all cores, make sim SEED=7 replays one.
sim: build
	node dist/sim/run/main.js $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(ARGS)

# Writes docs/evaluation.md; ARGS="--quick" takes minutes instead of an hour and writes nothing.
evaluate: build
	node dist/sim/run/evaluate.js $(ARGS)

# Writes the tables and the picture of docs/load-aware.md; takes some minutes.
load: build
	node dist/sim/run/load.js

# The references of the configuration file and of the metrics, and the schema for editors: whenever their sources have changed.
docs: build
	npm run --silent docs

# The manual page, of the commands' own help; the output is committed.
man: build
	node dist/cli/man-file.js docs/man/evenkeel.1

# Servers of 1, 2, 4 and 8 CPUs with real connections; 12 minutes a run. ARGS="--who all --write" makes the rows of docs/load-aware.md.
load-experiment: build
	node dist/demo/load/main.js $(ARGS)

# Servers that are killed, vanish or hang under traffic; half an hour for all. ARGS="--write" makes the table of docs/health.md.
kill-experiment: build
	node dist/demo/kill/main.js $(ARGS)

generate: node_modules/.package-lock.json
	npm run --silent generate

clean:
	rm -rf dist node_modules
