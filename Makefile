# livenessd. `make run` and `make test` need Debian 12 with Go, make and apt.

SHELL := /bin/bash
GO    ?= go
BIN   := bin/livenessd
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)

BUILD_PACKAGES := g++ pkg-config libopencv-dev libopencv-contrib-dev opencv-data
TEST_PACKAGES  := chromium nodejs npm ffmpeg
DEB_PACKAGES   := dpkg-dev
APPLIANCE_PACKAGES := qemu-system-x86 qemu-utils mmdebstrap busybox-static cpio kmod e2fsprogs xz-utils python3
APPLIANCE_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/livenessd/appliance
TENSORFLOW_PACKAGES := ca-certificates curl unzip binutils

.PHONY: run test build deb test-package test-appliance power-cuts build-tensorflow test-tensorflow lint bench soak deps test-deps screenshots seeds fuzz schemathesis clean

## run: build, start the daemon with the first camera (or a simulated person), print the page's address
run: build
	@mkdir -p tmp
	@exec $(BIN) run -simulate -store tmp/livenessd.db

## test: everything, with the race detector and a real browser
test: build test-deps lint
	$(GO) test -race -timeout 20m ./...

## build: leave bin/livenessd
build: deps
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/livenessd

## deb: leave the Debian package in bin/; the same commit gives the same bytes
deb: deps
	$(call install,$(DEB_PACKAGES),:;)
	GO=$(GO) packaging/build.sh

## test-package: install, upgrade, remove and purge the package in a bare system (root, and Debian's mirror)
test-package: appliance-image
	@old=$$(mktemp --suffix=.deb) && trap 'rm -f $$old' EXIT && cp -L bin/livenessd.deb $$old && set -x && \
	DEB_VERSION=$$(packaging/version.sh)+next packaging/build.sh && packaging/trial.sh $(APPLIANCE_CACHE)/bare.tar $$old bin/livenessd.deb

## test-appliance: the package in a guest with a real kernel, systemd and USB camera; RUN=name runs one check,
##   APPLIANCE_REPLUGS=50 APPLIANCE_CUTS=25 more of what is done 10 and 3 times, as many as APPLIANCE_TIME (80m) lets
test-appliance: appliance-image
	TEST_APPLIANCE=$(abspath bin/livenessd.deb) TEST_APPLIANCE_IMAGE=$(APPLIANCE_CACHE) \
	$(GO) test -count 1 -v -timeout $(or $(APPLIANCE_TIME),80m) -run '$(or $(RUN),.)' ./appliance

## power-cuts: 500 power cuts while results and calls are written, in the guest (hours); CUTS=n for another number
power-cuts:
	$(MAKE) test-appliance RUN=TestPowerCut APPLIANCE_CUTS=$(or $(CUTS),500) APPLIANCE_TIME=24h

appliance-image: deb
	$(call install,$(APPLIANCE_PACKAGES),:;)
	@appliance/image.sh $(APPLIANCE_CACHE) $$(dpkg-deb -f bin/livenessd.deb Depends | sed 's/ ([^)]*)//g; s/,//g') v4l-utils

## build-tensorflow: fetch TensorFlow's C library and leave bin/livenessd-tensorflow, which runs the texture network by it
build-tensorflow: deps
	$(call install,$(TENSORFLOW_PACKAGES),:;)
	@dir=$$(scripts/tensorflow.sh) && set -x && \
	LIBRARY_PATH=$$dir $(GO) build -tags tensorflow -ldflags "-X main.version=$(VERSION) -extldflags=-Wl,-rpath,$$dir" -o $(BIN)-tensorflow ./cmd/livenessd

## test-tensorflow: build-tensorflow, and whether it judges as the other build does
test-tensorflow: build-tensorflow
	$(GO) vet -tags tensorflow ./models ./pipeline ./cmd/livenessd
	$(GO) tool staticcheck -tags tensorflow ./models ./pipeline
	@dir=$$(scripts/tensorflow.sh) && set -x && \
	LIBRARY_PATH=$$dir $(GO) test -race -tags tensorflow -ldflags "-extldflags=-Wl,-rpath,$$dir" -timeout 9m -v -run TensorFlow ./models ./pipeline
	@said=$$($(BIN)-tensorflow check docs/screenshots/person-session.jpg); echo "$$said"; \
	[[ $$said =~ texture\ [01]\. ]] || { echo "$(BIN)-tensorflow gives no texture score"; exit 1; }

## lint: gofmt, vet, staticcheck, tidy
lint: deps
	@test -z "$$(gofmt -l . | grep -v node_modules | tee /dev/stderr)" || { echo "gofmt: the files above need formatting"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

## bench: print the figures of the README
bench: build
	$(GO) test -run '^$$' -bench . -benchtime 3s ./pipeline ./store ./capture/sim ./challenge
	$(GO) test -run '^$$' -bench 'Sustained|Load' -benchtime 1x -timeout 20m ./cmd/livenessd
	$(GO) test -run '^$$' -bench 'Outside|Admit' -benchtime 150x ./cmd/livenessd
	$(GO) test -run '^$$' -bench Active -benchtime 6x ./cmd/livenessd

## soak: ten minutes at 30 frames a second, memory printed
soak: build
	TEST_SOAK=10m $(GO) test -run '^$$' -bench Sustained -benchtime 1x -timeout 20m ./cmd/livenessd

## screenshots: make the README's pictures anew from the running daemon
screenshots: build test-deps
	@mkdir -p docs/screenshots
	TEST_SCREENSHOTS=$(abspath docs/screenshots) $(GO) test -count 1 -run 'TestBrowser(Scenes|Nobody)' -timeout 9m ./cmd/livenessd

## seeds: many simulated people and attackers, without the race detector; TEST_FPS=5 as a slow machine sees them
seeds: deps
	TEST_SEEDS=$(or $(SEEDS),20) $(GO) test -count 1 -v -timeout 5h -run 'TestSeeds' ./cmd/livenessd

## fuzz: every fuzz target for a while
fuzz: deps
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-30s} $$p || exit 1; done; done

## schemathesis: let that tool (pip install schemathesis) hold the server to its OpenAPI document
schemathesis:
	TEST_SCHEMATHESIS=$(or $(TRIES),100) $(GO) test -count 1 -v -timeout 60m -run Schemathesis ./api

# Installs what is missing and says what.
define install
	@missing=; for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'install ok installed' || missing="$$missing $$p"; done; \
	$(2) \
	if [ -n "$$missing" ]; then \
		echo "Installing from Debian:$$missing"; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null || \
		{ echo "These packages could not be installed:$$missing"; exit 1; }; \
	fi
endef

deps:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl"; exit 1; }
	$(call install,$(BUILD_PACKAGES),:;)

# A node that is there already, from wherever, will do.
test-deps: deps
	$(call install,$(TEST_PACKAGES),if command -v node >/dev/null; then missing=$${missing// nodejs/}; fi; if command -v npm >/dev/null; then missing=$${missing// npm/}; fi;)
	@[ ui/e2e/node_modules/.package-lock.json -nt ui/e2e/package-lock.json ] || { echo "Installing playwright-core from npm"; cd ui/e2e && npm ci --no-audit --no-fund --loglevel=error; }
	@[ api/e2e/node_modules/.package-lock.json -nt api/e2e/package-lock.json ] || { echo "Installing @glair/vision from npm"; cd api/e2e && npm ci --no-audit --no-fund --loglevel=error; }

clean:
	rm -rf bin tmp ui/e2e/node_modules api/e2e/node_modules
