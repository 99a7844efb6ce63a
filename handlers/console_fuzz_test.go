package handlers_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/vivified/vivified/handlers"
)

// Wherever signing in leads, it is a page of this console, in every reading.
func FuzzSafeNext(f *testing.F) {
	for _, seed := range []string{"", "/console", "/console/audit?outcome=deny&q=a%26b", "//evil.example", `/console\\evil`, "/console/../x", "/console/%2e%2e/x", "/console\x00", "/console?next=//x", "https://x/console"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := handlers.SafeNext(next)
		u, err := url.Parse(got)
		switch {
		case err != nil, u.Scheme != "", u.Host != "", u.User != nil, u.Fragment != "":
			t.Errorf("%q leads to %q", next, got)
		case u.Path != "/console" && !strings.HasPrefix(u.Path, "/console/"), strings.Contains(u.Path, ".."):
			t.Errorf("%q leads out of the console, to %q", next, got)
		case strings.ContainsAny(got, "\\\t\r\n\x00"), strings.HasPrefix(got, "//"):
			t.Errorf("%q leads to %q, which a browser may read otherwise", next, got)
		case handlers.SafeNext(got) != got:
			t.Errorf("%q leads to %q, and that to %q", next, got, handlers.SafeNext(got))
		}
	})
}

// What is compared for the audit page may be any JSON, or none.
func FuzzCompare(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,2,{}]},"c":null}`), []byte(`{"a":{"b":[1,3]},"d":"x"}`))
	f.Add([]byte(`[]`), []byte(`{"a":`))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		for _, c := range handlers.Compare(before, after) {
			if c.Added && c.Gone || c.Name == "" {
				t.Errorf("%s and %s differ in %+v", before, after, c)
			}
		}
		if json.Valid(before) && len(handlers.Compare(before, before)) > 0 {
			t.Errorf("%s differs from itself", before)
		}
	})
}
