package static_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/vivified/vivified/static"
)

func get(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAssetsAreServedWithTheirTypes(t *testing.T) {
	for _, row := range []struct{ name, kind string }{
		{"css/console.css", "text/css; charset=utf-8"},
		{"js/console.js", "text/javascript; charset=utf-8"},
		{"js/htmx.js", "text/javascript; charset=utf-8"},
		{"icons.svg", "image/svg+xml"},
		{"favicon.svg", "image/svg+xml"},
		{"fonts/inter-latin-wght-normal.woff2", "font/woff2"},
		{"fonts/inter-OFL.txt", "text/plain; charset=utf-8"},
		{"js/htmx-LICENSE.txt", "text/plain; charset=utf-8"},
		{"icons/lucide-ISC.txt", "text/plain; charset=utf-8"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := static.Path(row.name)
			if !regexp.MustCompile(`\.[0-9a-f]{8}\.\w+$`).MatchString(path) {
				t.Errorf("the address %s does not name the content", path)
			}
			r := get(t, http.MethodGet, path)
			if r.StatusCode != http.StatusOK {
				t.Fatalf("status %d", r.StatusCode)
			}
			for header, want := range map[string]string{
				"Content-Type":                 row.kind,
				"X-Content-Type-Options":       "nosniff",
				"Cache-Control":                "public, max-age=31536000, immutable",
				"Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := r.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			if len(body(t, r)) == 0 {
				t.Error("the body is empty")
			}
		})
	}
}

func TestPlainNamesAreRevalidated(t *testing.T) {
	r := get(t, http.MethodGet, "/static/css/console.css")
	if got := r.Header.Get("Cache-Control"); r.StatusCode != http.StatusOK || got != "no-cache" {
		t.Fatalf("status %d, Cache-Control %q; want 200 and no-cache", r.StatusCode, got)
	}
	again := get(t, http.MethodGet, "/static/css/console.css", "If-None-Match", r.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified || len(body(t, again)) != 0 {
		t.Errorf("status %d for a known ETag, want 304 and nothing more", again.StatusCode)
	}
}

func TestGzipIsSentOnlyToThoseWhoTakeIt(t *testing.T) {
	path := static.Path("css/console.css")
	plain := body(t, get(t, http.MethodGet, path))
	for _, row := range []struct {
		accept string
		packed bool
	}{
		{"", false}, {"gzip", true}, {"br, gzip;q=0.5", true}, {"gzip;q=0", false}, {"GZIP", true}, {"br", false}, {"gzip;q=zz", true},
	} {
		r := get(t, http.MethodGet, path, "Accept-Encoding", row.accept)
		got := body(t, r)
		if r.Header.Get("Vary") != "Accept-Encoding" {
			t.Error("an answer that depends on Accept-Encoding must say so in Vary")
		}
		if packed := r.Header.Get("Content-Encoding") == "gzip"; packed != row.packed {
			t.Errorf("Accept-Encoding %q: packed %v, want %v", row.accept, packed, row.packed)
			continue
		}
		if row.packed {
			z, err := gzip.NewReader(bytes.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			if got, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, plain) {
			t.Errorf("Accept-Encoding %q changes the content", row.accept)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{
		"/static/", "/static/css", "/static/css/", "/static/static.go", "/static/../go.mod", "/static/css/tokens.css",
		"/static/css/console.00000000.css", "/static/icons/house.svg", "/static/js/htmx.min.js", "/", "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		static.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusNotFound || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: status %d, want 404", path, w.Code)
		}
	}
	if r := get(t, http.MethodPost, static.Path("css/console.css")); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") == "" {
		t.Errorf("POST: status %d, want 405 with Allow", r.StatusCode)
	}
	if r := get(t, http.MethodHead, static.Path("css/console.css")); r.StatusCode != http.StatusOK || len(body(t, r)) != 0 {
		t.Errorf("HEAD: status %d with a body of %d", r.StatusCode, r.ContentLength)
	}
}

// The budgets of the console: style ≤ 14 KB and scripts ≤ 60 KB, gzipped.
func TestBudgets(t *testing.T) {
	size := func(name string) int {
		return len(body(t, get(t, http.MethodGet, static.Path(name), "Accept-Encoding", "gzip")))
	}
	if n := size("css/console.css"); n > 14*1024 {
		t.Errorf("the style sheet has %d bytes gzipped", n)
	}
	if n := size("js/console.js") + size("js/htmx.js"); n > 60*1024 {
		t.Errorf("the scripts have %d bytes gzipped", n)
	}
	t.Logf("css %d, console.js %d, htmx %d, icons %d bytes gzipped", size("css/console.css"), size("js/console.js"), size("js/htmx.js"), size("icons.svg"))
}

func TestStyleSheet(t *testing.T) {
	css := string(body(t, get(t, http.MethodGet, static.Path("css/console.css"))))
	if !strings.HasPrefix(css, "@layer reset, tokens, base, components, pages;") {
		t.Errorf("the style sheet must begin with the order of its layers, not with %.60q", css)
	}
	if strings.Count(css, "{") != strings.Count(css, "}") {
		t.Error("the braces of the style sheet do not match")
	}
	for _, m := range regexp.MustCompile(`url\("([^"]+)"\)`).FindAllStringSubmatch(css, -1) {
		if r := get(t, http.MethodGet, m[1]); r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("the style sheet asks for %s, which is answered %d", m[1], r.StatusCode)
		}
	}
	defined := map[string]bool{}
	for _, m := range regexp.MustCompile(`(--[\w-]+):`).FindAllStringSubmatch(css, -1) {
		defined[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`var\((--[\w-]+)\)`).FindAllStringSubmatch(css, -1) {
		if !defined[m[1]] {
			t.Errorf("the style sheet uses %s, which nothing defines", m[1])
		}
	}
}

func TestIcons(t *testing.T) {
	svg := string(body(t, get(t, http.MethodGet, static.Path("icons.svg"))))
	for _, name := range static.Icons() {
		if !strings.Contains(svg, `<symbol id="`+name+`" viewBox="0 0 24 24"><`) {
			t.Errorf("the sprite has no symbol %s", name)
		}
		if !strings.HasSuffix(static.Icon(name), "#"+name) || !strings.HasPrefix(static.Icon(name), static.Path("icons.svg")) {
			t.Errorf("the address of icon %s is %s", name, static.Icon(name))
		}
	}
	for _, foreign := range []string{"<script", "onload", "href", "style=", "<!--"} {
		if strings.Contains(svg, foreign) {
			t.Errorf("the sprite contains %q", foreign)
		}
	}
}

func TestUnknownNamesPanic(t *testing.T) {
	for name, ask := range map[string]func(){
		"Path": func() { static.Path("css/none.css") },
		"Icon": func() { static.Icon("none") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("an unknown name is a mistake in the program and must not pass")
				}
			}()
			ask()
		})
	}
}
