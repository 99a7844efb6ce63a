// Package contract holds the wire schemas that the core, every SDK and every
// plugin agree on, embedded.
//
// It has no behaviour: what checks or speaks a contract reads it from here.
package contract

import _ "embed"

// ManifestSchema is the JSON Schema (2020-12) of a plugin's manifest. It is
// never stricter than the checks of core/manifest, which also join fields.
//
//go:embed manifest.schema.json
var ManifestSchema string

// Codes lists every stable code: of findings in manifests, and of problems in
// HTTP answers, each with its meaning.
//
//go:embed codes.json
var Codes string

// OpenAPI describes the HTTP interface of the core (OpenAPI 3.1, YAML): every
// route but the console's pages.
//
//go:embed openapi.yaml
var OpenAPI string
