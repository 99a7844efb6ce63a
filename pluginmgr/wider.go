package pluginmgr

import (
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
)

// Widenings lists what next asks for beyond now, in words for people; nothing
// when next may replace now without asking anybody. A runtime that is pinned by
// its digest alone is another one when the digest changes.
func Widenings(traits *trait.Registry, now, next *manifest.Manifest) []string {
	var said []string
	for _, w := range manifest.Widens(traits, now, next) {
		said = append(said, w.Field+": "+w.What)
	}
	if next.Runtime.Image == "" && now.Runtime.Digest != next.Runtime.Digest {
		said = append(said, "runtime.digest: "+next.Runtime.Digest)
	}
	return said
}
