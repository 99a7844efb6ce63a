# Vivified. `make` or `make help` lists what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

include tools/tools.mk

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/vivified and the sample plugins
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/vivified ./cmd/vivified

.PHONY: generate
generate: $(SQLC) $(TEMPL) ## Regenerate code from queries/ and views/
	@tools/generate
