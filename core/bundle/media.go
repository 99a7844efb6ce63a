package bundle

// Media types of a bundle and of what refers to it.
const (
	TypeFile      = "application/vnd.vivified.plugin.v1+tar"           // a .vvplugin
	TypeBundle    = "application/vnd.vivified.plugin.v1"               // artifactType of the OCI manifest
	TypeManifest  = "application/vnd.vivified.plugin.manifest.v1+json" // its config: manifest.json or plugin.json
	TypeScripts   = "application/vnd.vivified.isolate.v1.tar+gzip"     // layer: the files of an isolate plugin
	TypeReadme    = "application/vnd.vivified.readme.v1+markdown"      // referrers, from here on
	TypeChangelog = "application/vnd.vivified.changelog.v1+markdown"
	TypeIcon      = "application/vnd.vivified.icon.v1"
	TypeSPDX      = "application/spdx+json"
	TypeCycloneDX = "application/vnd.cyclonedx+json"
	TypeSignature = "application/vnd.dsse.envelope.v1+json"
)

const (
	typeOCIManifest = "application/vnd.oci.image.manifest.v1+json"
	typeEmpty       = "application/vnd.oci.empty.v1+json"
	emptyJSON       = "{}"
)

// attachable lists what may refer to a bundle, with the most bytes each may have
// and how many of them are kept.
var attachable = map[string]struct {
	most  int64
	count int
}{
	TypeReadme: {512 << 10, 1}, TypeChangelog: {512 << 10, 1}, TypeIcon: {256 << 10, 1},
	TypeSPDX: {16 << 20, 1}, TypeCycloneDX: {16 << 20, 1}, TypeSignature: {64 << 10, 16},
}
