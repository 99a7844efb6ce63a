package operator_test

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/operator"
)

// hostile is one line of testdata/paths_refused.jsonl.
type hostile struct {
	Kind, Path, Class, Why string
}

func hostilePaths(t testing.TB) []hostile {
	t.Helper()
	var all []hostile
	for _, line := range lines(t, "testdata/paths_refused.jsonl") {
		var h struct{ Kind, Path, Cls, Why string }
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatal(err)
		}
		all = append(all, hostile{h.Kind, h.Path, h.Cls, h.Why})
	}
	return all
}

func lines(t testing.TB, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		all = append(all, s.Text())
	}
	return all
}

// declared are the endpoints of the plugin that the hostile paths are tried on.
func declared(t testing.TB) []operator.Template {
	t.Helper()
	return []operator.Template{compile(t, "/health"), compile(t, "/api/users/{id}"), compile(t, "/api/users/me")}
}

func compile(t testing.TB, path string) operator.Template {
	t.Helper()
	tpl, err := operator.CompileTemplate(path)
	if err != nil {
		t.Fatalf("%s does not compile: %v", path, err)
	}
	return tpl
}

func matchesAny(templates []operator.Template, segments []string) bool {
	for _, tpl := range templates {
		if _, ok := tpl.Match(segments); ok {
			return true
		}
	}
	return false
}

func TestHostilePathsReachNoEndpoint(t *testing.T) {
	templates := declared(t)
	for _, h := range hostilePaths(t) {
		var err error
		var path operator.Path
		switch h.Kind {
		case "path":
			if path, err = operator.CanonicalPath(h.Path); err == nil && !matchesAny(templates, path.Segments) {
				continue // canonical, but nobody declared it
			}
			var route operator.Route
			if route, err = operator.ParseRoute("/gateway/identity-service/-" + h.Path); err == nil && !matchesAny(templates, route.Path.Segments) {
				continue
			}
		case "target":
			_, err = operator.ParseRoute("/gateway/" + h.Path + "/health")
		case "request-target":
			err = operator.CheckTarget(strings.NewReplacer("{LANE}", "/gateway", "{ASSET}", "/console/apps").Replace(h.Path))
		}
		if err == nil {
			t.Errorf("%s %.80q was let through (%s: %s)", h.Kind, h.Path, h.Class, h.Why)
		}
	}
}

func TestHonestPathsReachTheirEndpoint(t *testing.T) {
	templates := declared(t)
	for _, raw := range lines(t, "testdata/paths_valid.txt") {
		path, err := operator.CanonicalPath(raw)
		if err != nil {
			t.Errorf("%s was refused: %v", raw, err)
			continue
		}
		if !matchesAny(templates, path.Segments) {
			t.Errorf("%s matched no endpoint: %q", raw, path.Segments)
		}
		if _, query, _ := strings.Cut(raw, "?"); path.Query != query {
			t.Errorf("%s: query became %q", raw, path.Query)
		}
	}
}

func TestCanonicalPath(t *testing.T) {
	tests := []struct {
		raw  string
		path string // as forwarded
		code string // or why it was refused
	}{
		{raw: "/", path: "/"},
		{raw: "/health", path: "/health"},
		{raw: "/health/", path: "/health/"},
		{raw: "/%41lice", path: "/Alice"},
		{raw: "/%E2%9C%93", path: "/%E2%9C%93"},
		{raw: "/%e2%9c%93", path: "/%E2%9C%93"},
		{raw: "/✓", path: "/%E2%9C%93"},
		{raw: "/a%20b", path: "/a%20b"},
		{raw: "/a+b", path: "/a+b"},
		{raw: "/a..b/..a/a../.a", path: "/a..b/..a/a../.a"},
		{raw: "/100%25", path: "/100%25"},
		{raw: "/100%25 ", code: operator.CodeCharacter},
		{raw: "/mailto:a@b.example/$x,y=(1)", path: "/mailto:a@b.example/$x,y=(1)"},
		{raw: "/a%7Cb", path: "/a%7Cb"},
		{raw: "/%F0%9F%91%A9%E2%80%8D%E2%9A%95", path: "/%F0%9F%91%A9%E2%80%8D%E2%9A%95"}, // an emoji with a joiner
		{raw: "/?x=..%2f", path: "/"},
		{raw: "/?next=/a/..b", path: "/"},

		{raw: "", code: operator.CodeForm},
		{raw: "*", code: operator.CodeForm},
		{raw: "health", code: operator.CodeForm},
		{raw: "?x=1", code: operator.CodeForm},
		{raw: "http://core/health", code: operator.CodeForm},
		{raw: "core:443", code: operator.CodeForm},

		{raw: "//core/health", code: operator.CodeSeparator},
		{raw: "/a//b", code: operator.CodeSeparator},
		{raw: "/a//", code: operator.CodeSeparator},
		{raw: "/a%2Fb", code: operator.CodeSeparator},
		{raw: "/a%5cb", code: operator.CodeSeparator},
		{raw: `/a\b`, code: operator.CodeSeparator},

		{raw: "/.", code: operator.CodeDots},
		{raw: "/../a", code: operator.CodeDots},
		{raw: "/a/./b", code: operator.CodeDots},
		{raw: "/a/..", code: operator.CodeDots},
		{raw: "/%2e%2E/a", code: operator.CodeDots},
		{raw: "/.%2e/a", code: operator.CodeDots},
		{raw: "/.../a", code: operator.CodeDots},
		{raw: "/..%20/a", code: operator.CodeDots},
		{raw: "/.%e2%80%8d./a", code: operator.CodeDots}, // a joiner between the dots
		{raw: "/.%ef%b8%8f./a", code: operator.CodeDots}, // a variation selector
		{raw: "/..;/a", code: operator.CodeCharacter},
		{raw: "/..%3ba=b/a", code: operator.CodeCharacter},
		{raw: "/a?/../b", code: operator.CodeDots},
		{raw: "/a?x=1/%2e%2e/b", code: operator.CodeDots},
		{raw: `/a?\..\b`, code: operator.CodeDots},
		{raw: "/a?/..;x=1/b", code: operator.CodeDots},
		{raw: "/a?..%2f..%2fb", code: operator.CodeDots},
		{raw: "/a?b#c", code: operator.CodeCharacter},
		{raw: "/a?b c", code: operator.CodeCharacter},
		{raw: "/a?b\r\nHost: c", code: operator.CodeCharacter},

		{raw: "/a%", code: operator.CodeEncoding},
		{raw: "/a%2", code: operator.CodeEncoding},
		{raw: "/a%zz", code: operator.CodeEncoding},
		{raw: "/a%2/b", code: operator.CodeEncoding},
		{raw: "/%u002e", code: operator.CodeEncoding},
		{raw: "/%25u002e", code: operator.CodeEncoding},
		{raw: "/%252e%252e/a", code: operator.CodeEncoding},
		{raw: "/%2541lice", code: operator.CodeEncoding},
		{raw: "/%25252e", code: operator.CodeEncoding},
		{raw: "/%25%32%65", code: operator.CodeEncoding},
		{raw: "/%ff", code: operator.CodeEncoding},
		{raw: "/\xff", code: operator.CodeEncoding},
		{raw: "/%c0%ae", code: operator.CodeEncoding},
		{raw: "/%e0%80%ae", code: operator.CodeEncoding},
		{raw: "/%f0%80%80%ae", code: operator.CodeEncoding},
		{raw: "/%ed%a0%80", code: operator.CodeEncoding}, // a surrogate

		{raw: "/a b", code: operator.CodeCharacter},
		{raw: "/a\tb", code: operator.CodeCharacter},
		{raw: "/a\x00b", code: operator.CodeCharacter},
		{raw: "/a%00b", code: operator.CodeCharacter},
		{raw: "/a%0d%0ab", code: operator.CodeCharacter},
		{raw: "/a%7f", code: operator.CodeCharacter},
		{raw: "/a%c2%85", code: operator.CodeCharacter},     // C1 next line
		{raw: "/a%e2%80%a8b", code: operator.CodeCharacter}, // line separator
		{raw: "/a%e2%80%aeb", code: operator.CodeCharacter}, // right-to-left override
		{raw: "/a%ef%bb%bf", code: operator.CodeCharacter},  // byte-order mark
		{raw: "/a;b", code: operator.CodeCharacter},
		{raw: "/a#b", code: operator.CodeCharacter},
		{raw: "/a%23b", code: operator.CodeCharacter},
		{raw: "/a%3fb", code: operator.CodeCharacter},
		{raw: "/%7Bid%7D", code: operator.CodeCharacter},
		{raw: "/{id}", code: operator.CodeCharacter},

		{raw: "/a%e2%81%84b", code: operator.CodeLookalike}, // fraction slash
		{raw: "/a%e2%88%95b", code: operator.CodeLookalike}, // division slash
		{raw: "/a%e2%a7%b8b", code: operator.CodeLookalike}, // big solidus
		{raw: "/a%ef%bc%8fb", code: operator.CodeLookalike}, // fullwidth solidus
		{raw: "/%ef%bc%8e%ef%bc%8e", code: operator.CodeLookalike},
		{raw: "/%ef%bc%85", code: operator.CodeLookalike},           // fullwidth percent sign
		{raw: "/a%e2%84%80b", code: operator.CodeLookalike},         // account of, a/c
		{raw: "/%ef%bd%a1", code: operator.CodeLookalike},           // halfwidth ideographic full stop
		{raw: "/%e2%80%a6", code: operator.CodeLookalike},           // ellipsis
		{raw: "/%e2%91%b4/%e2%92%88", code: operator.CodeLookalike}, // digit one full stop

		{raw: "/%20", code: operator.CodeBlank},
		{raw: "/%c2%a0%e3%80%80", code: operator.CodeBlank},
		{raw: "/a/%20/b", code: operator.CodeBlank},
		{raw: "/%e2%80%8d", code: operator.CodeBlank},

		{raw: "/" + strings.Repeat("a", operator.MaxSegment), path: "/" + strings.Repeat("a", operator.MaxSegment)},
		{raw: "/" + strings.Repeat("a", operator.MaxSegment+1), code: operator.CodeLength},
		{raw: strings.Repeat("/a", operator.MaxPath/2), path: strings.Repeat("/a", operator.MaxPath/2)},
		{raw: strings.Repeat("/a", operator.MaxPath/2) + "b", code: operator.CodeLength},
		{raw: "/?" + strings.Repeat("a", operator.MaxQuery+1), code: operator.CodeLength},
	}
	for _, tt := range tests {
		path, err := operator.CanonicalPath(tt.raw)
		if checked := operator.CheckTarget(tt.raw); !cmp.Equal(message(err), message(checked)) {
			t.Errorf("%.60q: CanonicalPath says %v, CheckTarget %v", tt.raw, err, checked)
		}
		switch {
		case tt.code == "" && err != nil:
			t.Errorf("%.60q was refused: %v", tt.raw, err)
		case tt.code == "" && path.String() != tt.path:
			t.Errorf("%.60q is forwarded as %q, want %q", tt.raw, path, tt.path)
		case tt.code != "" && err == nil:
			t.Errorf("%.60q was let through as %q, want %s", tt.raw, path, tt.code)
		case tt.code != "" && fault.Of(err).Code != tt.code:
			t.Errorf("%.60q was refused by %s, want %s", tt.raw, fault.Of(err).Code, tt.code)
		case tt.code != "" && !fault.Is(err, fault.Invalid):
			t.Errorf("%.60q: the fault is not Invalid", tt.raw)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Every character that compatibility normalisation turns into something with a
// dot, slash or backslash is refused, wherever Unicode added it.
func TestNoCharacterNormalisesIntoASeparator(t *testing.T) {
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) || !strings.ContainsAny(norm.NFKC.String(string(r)), `./\`) {
			continue
		}
		if _, err := operator.CanonicalPath("/a" + string(r)); err == nil {
			t.Errorf("%U was let through", r)
		}
	}
}

func TestCheckTargetCostsNothingOnPlainPaths(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if err := operator.CheckTarget("/gateway/user-management/get_profile?id=42"); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("CheckTarget allocated %v times", n)
	}
}

func FuzzCanonicalPath(f *testing.F) {
	for _, h := range hostilePaths(f) {
		f.Add(h.Path)
	}
	for _, raw := range lines(f, "testdata/paths_valid.txt") {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		path, err := operator.CanonicalPath(raw)
		if err != nil {
			return
		}
		again, err := operator.CanonicalPath(path.String())
		if err != nil || !cmp.Equal(again.Segments, path.Segments) || again.String() != path.String() {
			t.Fatalf("%q became %q, which reads as %q, %v", raw, path, again, err)
		}
		want := "/" + strings.Join(path.Segments, "/")
		for name, target := range map[string]string{"raw": raw, "canonical": path.String()} {
			u, err := url.ParseRequestURI(target)
			if err != nil {
				if name == "raw" {
					continue // the standard library is stricter about some query
				}
				t.Fatalf("the %s form %q: %v", name, target, err)
			}
			if u.Path != want || u.Host != "" {
				t.Fatalf("the standard library reads the %s form %q as %q on %q, we as %q", name, target, u.Path, u.Host, want)
			}
		}
		for _, s := range path.Segments[:len(path.Segments)-1] {
			if s == "" || s == "." || s == ".." || strings.ContainsAny(s, `/\;?#`) {
				t.Fatalf("%q has the segment %q", raw, s)
			}
		}
	})
}
