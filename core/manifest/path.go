package manifest

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// maxPath is how long a local path may be, in bytes.
const maxPath = 1024

// schemes matches a path that a careless reader could take for an absolute
// URL. Other colons, as in /users:batch, are fine.
var schemes = regexp.MustCompile(`(?i)(?:^|/)(?:https?|wss?|ftps?|file|javascript|vbscript|data|blob|gopher|ldaps?|unix|dict|jar):`)

// param is a template segment.
var param = regexp.MustCompile(`^\{[a-z_]+\}$`)

// pathFault returns what is wrong with a local path, or "". A path begins with
// one slash and holds only characters that need no escape, so that what is
// declared, authorised, recorded and forwarded is one and the same string.
// With templates, whole segments may be {name}.
func pathFault(path string, templates bool) string {
	switch {
	case path == "":
		return "is empty"
	case len(path) > maxPath:
		return "is longer than 1,024 bytes"
	case path[0] != '/':
		return "must begin with /"
	case strings.Contains(path, "//"):
		return "must not contain //"
	case strings.Contains(path, ".."):
		return "must not contain .."
	case strings.Contains(path, "%"):
		return "must not contain percent-encoded characters"
	case strings.ContainsAny(path, "?#"):
		return "must have neither query nor fragment"
	case schemes.MatchString(path):
		return "must not contain a scheme"
	}
	var seen []string
	for segment := range strings.SplitSeq(path[1:], "/") {
		if before, _, _ := strings.Cut(segment, ";"); before == "." {
			return "must not have a segment that is a single dot"
		}
		if templates && strings.ContainsAny(segment, "{}") {
			if !param.MatchString(segment) {
				return "has a malformed template; use whole segments such as {user_id}, of lower-case letters and underscores"
			}
			if slices.Contains(seen, segment) {
				return "uses a template name twice"
			}
			seen = append(seen, segment)
			continue
		}
		for i := range len(segment) {
			if !pathChar(segment[i]) {
				return "contains '" + show(strings.ToValidUTF8(segment[i:i+1], "\ufffd")) + "', which is not allowed in a path"
			}
		}
	}
	return ""
}

// pathChar reports whether c may stand in a path unescaped (RFC 3986, 3.3).
func pathChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0
}

// cleanEntrypoint returns the clean form of a file's path inside a bundle, and
// whether it is one. Whether the file is a link out of the bundle is for those
// to say who open it.
func cleanEntrypoint(path string) (string, bool) {
	clean := strings.TrimPrefix(path, "./")
	if len(clean) > maxPath || clean == "." || !fs.ValidPath(clean) || strings.ContainsAny(clean, "\\:?#%*\"<>|") ||
		slices.ContainsFunc([]rune(clean), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", false
	}
	return clean, true
}
