package manifest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var runtimeFields = []field{
	{name: "kind", shape: aString, wrong: "runtime.invalid"},
	{name: "protocol", shape: aString, wrong: "runtime.invalid"},
	{name: "image", shape: aString, wrong: "runtime.invalid"},
	{name: "digest", shape: aString, wrong: "runtime.invalid"},
	{name: "command", shape: anything},
	{name: "port", shape: aNumber, wrong: "runtime.invalid"},
	{name: "env", shape: anObject, wrong: "runtime.invalid"},
	{name: "base_url", shape: aString, wrong: "runtime.invalid"},
}

// Forms of what a runtime names: an image reference without its digest (OCI
// distribution, "Pulling manifests"), a digest, and a variable (POSIX, 8.1).
var (
	imageForm  = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	envForm    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// The limits of a runtime.
const (
	maxImage   = 512 // bytes
	maxCommand = 256 // words
	maxEnv     = 256 // variables
)

// The protocols a target may speak.
const (
	ProtocolHTTP = "http"
	ProtocolGRPC = "grpc"
)

// runtime reads where the plugin runs. A member no table knows is an error
// here: it could be a limit the author relies on.
func (c *checker) runtime(v *value, at place) {
	r := &c.m.Runtime
	r.Kind, r.Protocol = External, ProtocolHTTP
	if v == nil {
		return
	}
	bad := func(at place, format string, args ...any) {
		c.fail("runtime.invalid", at, fmt.Sprintf(format, args...))
	}
	got := c.object(v, at, runtimeFields, "runtime.invalid")
	if k := got.ok("kind"); k != nil {
		if r.Kind = k.text; !slices.Contains([]string{External, Container, Sandbox}, k.text) {
			bad(at.member("kind"), "Runtime '%s' is not known; use external, container or sandbox", show(k.text))
		}
	}
	if p := got.ok("protocol"); p != nil {
		if r.Protocol = p.text; p.text != ProtocolHTTP && p.text != ProtocolGRPC {
			bad(at.member("protocol"), "Protocol '%s' is not known; use http or grpc", show(p.text))
		}
	}
	c.image(got, at, bad)
	if p := got.ok("port"); p != nil {
		r.Port = c.port(p, at.member("port"), "runtime.invalid")
	}
	if u := got.ok("base_url"); u != nil {
		if r.BaseURL = u.text; !isBaseURL(u.text) {
			bad(at.member("base_url"), "Base address '%s' is not an http or https address without query, fragment and credentials", show(u.text))
		}
	}
	c.command(got.ok("command"), at.member("command"), bad)
	c.env(got.ok("env"), at.member("env"), bad)
}

// image reads the image, whose digest may be part of its name.
func (c *checker) image(got members, at place, bad func(place, string, ...any)) {
	r := &c.m.Runtime
	if d := got.ok("digest"); d != nil {
		if r.Digest = d.text; !digestForm.MatchString(d.text) {
			bad(at.member("digest"), "Digest '%s' is not sha256: and 64 hexadecimal digits", show(d.text))
		}
	}
	i := got.ok("image")
	if i == nil {
		return
	}
	name, digest, pinned := strings.Cut(i.text, "@")
	r.Image = name
	at = at.member("image")
	switch {
	case len(i.text) > maxImage || !imageForm.MatchString(name) || pinned && !digestForm.MatchString(digest):
		bad(at, "Image '%s' is not a valid reference", show(i.text))
	case pinned && got.ok("digest") != nil && digest != r.Digest:
		bad(at, "Image and digest name different contents")
	case pinned:
		r.Digest = digest
	case c.o.RequireDigest && r.Digest == "" && !got.wrong("digest"):
		bad(at, "Image '%s' must be pinned by its digest", show(i.text))
	}
}

// command reads the words of a command; one string is one word.
func (c *checker) command(v *value, at place, bad func(place, string, ...any)) {
	switch {
	case v == nil:
	case v.kind == text && v.text != "":
		c.m.Runtime.Command = []string{v.text}
	case v.kind == array && len(v.items) > 0 && len(v.items) <= maxCommand && notText(v) < 0 && v.items[0].text != "":
		c.m.Runtime.Command = v.strings()
	default:
		bad(at, "The command must be a string or an array of 1 to %d strings, the first not empty", maxCommand)
	}
}

// env reads environment variables. What the core itself sets wins over them.
func (c *checker) env(v *value, at place, bad func(place, string, ...any)) {
	if v == nil {
		return
	}
	if len(v.items) > maxEnv {
		bad(at, "There may be at most %d environment variables", maxEnv)
		return
	}
	c.m.Runtime.Env = make(map[string]string, len(v.items))
	for i, name := range v.keys {
		switch {
		case !envForm.MatchString(name):
			bad(at.entry(name), "Environment variable '%s' has no valid name", show(name))
		case v.items[i].kind != text || strings.Contains(v.items[i].text, "\x00"):
			bad(at.entry(name), "Environment variable '%s' must be a string", show(name))
		default:
			c.m.Runtime.Env[name] = v.items[i].text
		}
	}
}

// isBaseURL reports whether s may stand before a path.
func isBaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && isWebAddress(s) && u.Hostname() != "" && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && !strings.HasSuffix(s, "#")
}
