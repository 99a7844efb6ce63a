package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/proxy"
)

func TestParseRequest(t *testing.T) {
	const url = "https://api.example.com/data"
	asJSON := http.Header{"Content-Type": {"application/json"}}
	tests := []struct {
		name, text string
		want       proxy.Request
	}{
		{"the least", `{"url": "https://api.example.com/data"}`, proxy.Request{URL: url, FollowRedirects: true}},
		{"the early Python client's", `{"plugin_id": "mailer", "url": "https://api.example.com/data", "method": "GET", "headers": {"API-Key": "secret"}, "body": null}`,
			proxy.Request{URL: url, Method: "GET", Header: http.Header{"Api-Key": {"secret"}}, FollowRedirects: true, Plugin: "mailer"}},
		{"the early wrapped form", `{"caller_plugin": "mailer", "payload": {"url": "https://api.example.com/data", "method": "POST", "body": "x"}, "timeout": 2.5}`,
			proxy.Request{URL: url, Method: "POST", Body: []byte("x"), Timeout: 2500 * time.Millisecond, FollowRedirects: true, Plugin: "mailer"}},
		{"named in both places alike", `{"caller_plugin": "mailer", "payload": {"plugin_id": "mailer", "url": "https://api.example.com/data", "timeout": 3}, "timeout": 2}`,
			proxy.Request{URL: url, Timeout: 3 * time.Second, FollowRedirects: true, Plugin: "mailer"}},
		{"a JSON body", `{"url": "https://api.example.com/data", "method": "POST", "json": {"n": [1, 2]}}`,
			proxy.Request{URL: url, Method: "POST", Header: asJSON, Body: []byte(`{"n": [1, 2]}`), FollowRedirects: true}},
		{"a JSON string", `{"url": "https://api.example.com/data", "json": "x"}`,
			proxy.Request{URL: url, Header: asJSON, Body: []byte(`"x"`), FollowRedirects: true}},
		{"an object as body", `{"url": "https://api.example.com/data", "body": {"n": 1}, "headers": {"content-type": "application/vnd.x+json"}}`,
			proxy.Request{URL: url, Header: http.Header{"Content-Type": {"application/vnd.x+json"}}, Body: []byte(`{"n": 1}`), FollowRedirects: true}},
		{"a binary body", `{"url": "https://api.example.com/data", "body": "/wD+", "body_encoding": "base64"}`,
			proxy.Request{URL: url, Body: []byte{0xff, 0x00, 0xfe}, FollowRedirects: true}},
		{"headers of every kind", `{"url": "https://api.example.com/data", "headers": {"X-N": 12, "X-L": ["a", "b"], "X-Null": null}}`,
			proxy.Request{URL: url, Header: http.Header{"X-N": {"12"}, "X-L": {"a", "b"}}, FollowRedirects: true}},
		{"redirects handed back", `{"url": "https://api.example.com/data", "follow_redirects": false}`, proxy.Request{URL: url}},
		{"letters in another case", `{"url": "https://api.example.com/data", "URL": "https://evil.example/", "Method": "DELETE"}`, proxy.Request{URL: url, FollowRedirects: true}},
		{"a payload beside a url", `{"url": "https://api.example.com/data", "payload": {"url": "https://evil.example/"}}`, proxy.Request{URL: url, FollowRedirects: true}},
	}
	for _, tt := range tests {
		got, err := proxy.ParseRequest([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	for _, text := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{}`, `{"url": ""}`, `{"url": 1}`, `{"url": null}`, `{"URL": "https://api.example.com/"}`,
		`{"payload": "x"}`, `{"payload": {}}`, `{"payload": {"payload": {"url": "https://a.example/"}}}`,
		`{"url": "https://a.example/", "method": 1}`, `{"url": "https://a.example/", "headers": []}`, `{"url": "https://a.example/", "headers": {"a": {}}}`, `{"url": "https://a.example/", "headers": {"a": true}}`,
		`{"url": "https://a.example/", "timeout": 0}`, `{"url": "https://a.example/", "timeout": -1}`, `{"url": "https://a.example/", "timeout": "soon"}`, `{"url": "https://a.example/", "timeout": 1e99}`,
		`{"url": "https://a.example/", "body": "x", "json": {}}`, `{"url": "https://a.example/", "body": "=", "body_encoding": "base64"}`, `{"url": "https://a.example/", "body": "x", "body_encoding": "rot13"}`,
		`{"url": "https://a.example/", "plugin_id": "a", "caller_plugin": "b"}`, `{"plugin_id": "a", "payload": {"plugin_id": "b", "url": "https://a.example/"}}`,
		`{"url": "https://a.example/", "follow_redirects": "no"}`,
	} {
		if r, err := proxy.ParseRequest([]byte(text)); !fault.Is(err, fault.Invalid) || fault.Of(err).Code != proxy.CodeRequest {
			t.Errorf("%s was read as %+v, %v", text, r, err)
		}
	}
}

func TestDoRefusesMalformedRequests(t *testing.T) {
	w := newWorld(t, worldConfig{})
	big := http.Header{}
	for range 65 {
		big.Add("X-Many", "x")
	}
	for name, r := range map[string]proxy.Request{
		"CONNECT":                {Method: "CONNECT"},
		"TRACE":                  {Method: "trace"},
		"a method with a space":  {Method: "GET /"},
		"a method with CRLF":     {Method: "GET\r\nX: y"},
		"a very long method":     {Method: strings.Repeat("A", 21)},
		"a header name with CR":  {Header: http.Header{"X-A\r\nB": {"c"}}},
		"a header name of space": {Header: http.Header{"X A": {"c"}}},
		"a header value of CRLF": {Header: http.Header{"X-A": {"b\r\nHost: evil.example"}}},
		"a header value of NUL":  {Header: http.Header{"X-A": {"b\x00"}}},
		"too many headers":       {Header: big},
		"too large a header":     {Header: http.Header{"X-Large": {strings.Repeat("x", 40<<10)}}},
	} {
		r.URL = "https://api.example.com/"
		if _, err := w.lane.Do(w.as(t, mailer), r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseStreamQuery(t *testing.T) {
	url, timeout, err := proxy.ParseStreamQuery("url=https%3A%2F%2Fapi.example.com%2F%3Fa%3D1%26b%3D2&timeout=1.5")
	if err != nil || url != "https://api.example.com/?a=1&b=2" || timeout != 1500*time.Millisecond {
		t.Errorf("%q %s %v", url, timeout, err)
	}
	if url, _, err = proxy.ParseStreamQuery("url=https://api.example.com/data"); err != nil || url != "https://api.example.com/data" {
		t.Errorf("%q %v", url, err)
	}
	for _, query := range []string{
		"", "url=", "u=x", "url=https://a.example/?a=1&b=2", "url=https://a.example/&url=https://b.example/", "url=%zz", "url=a;b",
		"url=https://a.example/&timeout=0", "url=https://a.example/&timeout=x", "url=https://a.example/&timeout=NaN", "url=https://a.example/&timeout=Inf",
	} {
		if url, _, err := proxy.ParseStreamQuery(query); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s was read as %q, %v", query, url, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"url": "https://api.example.com/", "method": "POST", "headers": {"A": ["b"]}, "body": "x", "timeout": 1}`))
	f.Add([]byte(`{"plugin_id": "a", "payload": {"url": "x", "json": [1]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := proxy.ParseRequest(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("the fault is not Invalid: %v", err)
			}
			return
		}
		if r.URL == "" || r.Timeout < 0 || r.Timeout > time.Hour || r.Header == nil {
			t.Fatalf("%s was read as %+v", text, r)
		}
	})
}
