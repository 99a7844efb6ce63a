# Vivified. `make` or `make help` lists what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
GOTEST := CGO_ENABLED=1 $(GO) test -race -timeout 20m
SAMPLES := hello-publisher hello-lurker hello-site
VENV := bin/venv

include tools/tools.mk

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: setup-run build $(if $(SSO),bin/dex) ## Run the core with the sample plugins; prints the console's address (SSO=1: with an identity provider)
	@bin/vivified up $(if $(SSO),--sso)

.PHONY: demo
demo: run ## The same, as a demonstration: three plugins talk over three lanes

.PHONY: test
test: setup-test build bin/dex bin/versitygw ## Run every test: Go with the race detector, Python, and the browser
	@tools/test

.PHONY: build
build: $(VENV)/.stamp ## Build bin/vivified and the sample plugins
	$(GOBUILD) -o bin/vivified ./cmd/vivified
	@for p in $(SAMPLES); do (cd plugins/$$p && $(GOBUILD) -o ../../bin/$$p .); done

$(VENV)/.stamp: sdk/python/pyproject.toml $(wildcard plugins/*/requirements.txt)
	@tools/setup run
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e sdk/python
	@for r in $(wildcard plugins/*/requirements.txt); do grep -v '^-e\|^\.\|sdk/python' $$r | $(VENV)/bin/pip install --quiet --disable-pip-version-check -r /dev/stdin; done
	@touch $@

# A real identity provider, for tests and for trying single sign-on; its modules are its own.
bin/dex: e2e/dex/go.mod $(wildcard e2e/dex/*.go)
	cd e2e/dex && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../$@ .

# A real object store that speaks S3, for tests.
bin/versitygw: e2e/s3/go.mod
	cd e2e/s3 && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../$@ github.com/versity/versitygw/cmd/versitygw

.PHONY: generate
generate: $(SQLC) $(TEMPL) $(PROTOGEN) ## Regenerate code from queries/, views/ and contract/
	@tools/generate

.PHONY: verify
verify: $(STATICCHECK) ## Check formatting, vet, staticcheck and that generated code is current
	@tools/verify

.PHONY: lint
lint: verify ## The same as verify

.PHONY: fmt
fmt: $(TEMPL) ## Format Go and templ sources
	@gofmt -w $$(git ls-files '*.go' | grep -v -E '_templ\.go$$|\.sql\.go$$|/sqlc_')
	@bin/tools/templ fmt views

.PHONY: bench
bench: build ## Measure the start, the lanes and the policy, each beside its peers
	@$(GO) run ./bench/start
	@$(GO) run ./bench/lanes -json bin/lanes.json -html bin/lanes.html
	@cd bench/policy && $(GO) run .

.PHONY: bench-audit
bench-audit: ## Measure the audit on a record of five million rows; takes minutes and 7 GB of disk
	@$(GO) run ./bench/audit

.PHONY: clean
clean: ## Remove what was built, not what was kept in var/
	rm -rf bin e2e/artifacts e2e/node_modules

.PHONY: setup-run setup-test
setup-run:
	@tools/setup run
setup-test:
	@tools/setup test
