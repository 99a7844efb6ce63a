package pluginmgr

import (
	"strings"

	"github.com/vivified/vivified/core/manifest"
)

// operationOf returns the name of the endpoint that a request is for, "" when it is
// for none, such as a health check.
func operationOf(m *manifest.Manifest, method, path string) string {
	segments := strings.Split(path, "/")
	for _, e := range m.Endpoints {
		template := strings.Split(e.Path, "/")
		if e.Method != "" && e.Method != method || len(template) != len(segments) {
			continue
		}
		fits := true
		for i, part := range template {
			fits = fits && (part == segments[i] || strings.HasPrefix(part, "{") && segments[i] != "")
		}
		if fits {
			return e.Name
		}
	}
	return ""
}
