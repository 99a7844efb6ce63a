package settings_test

import (
	"testing"

	"github.com/vivified/vivified/core/settings"
)

// Whatever is sent, over whatever was there: what goes into rows comes back.
func FuzzPluginDocument(f *testing.F) {
	f.Add(`{"host": "a", "password": "p", "relays": [{"url": "one", "key": "k"}]}`, `{"host": "b", "relays": [{"url": "one"}, {"url": "two"}], "keys": ["a"]}`)
	f.Add(`{"hook": {"url": "u", "key": "k"}}`, `{"hook": {"key": {"set": true}}, "password": null, "labels": {"a/b": "~", "": "x"}}`)
	f.Add(`{"auth": {"kind": "token", "token": "t"}}`, `{"auth": {"kind": "none"}, "keys": {"set": true}}`)
	f.Add(`[]`, `{"0": {"1": [[{}]]}, "relays": {"0": 1}}`)
	f.Fuzz(func(t *testing.T, last, next string) {
		for _, schema := range []string{mailSchema, "", `{"x-secret": true}`, `{"additionalProperties": {"$ref": "#"}, "items": {"x-secret": true}}`} {
			if wrong := settings.RoundTrip(schema, last, next); wrong != "" {
				t.Error(wrong)
			}
		}
	})
}
