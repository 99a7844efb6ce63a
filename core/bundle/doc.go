// Package bundle reads, writes, keeps and signs plugins as they travel: an OCI
// artifact whose config is the plugin's manifest, with what it runs as layers and
// what describes it as referrers; in one file, .vvplugin, a tar of the OCI image
// layout that holds them.
//
// Nothing in a bundle is trusted. Every blob is hashed while it is read, and one
// that does not have its digest is refused; so are entries that are no regular
// files, names that lead anywhere else, and more of anything than the limits say.
// A bundle is named by the digest of its OCI manifest and by nothing else.
//
// The formats: OCI Image Format 1.1 (manifest with artifactType and subject, image
// layout), DSSE 1.0 envelopes around in-toto Statement v1.
package bundle
