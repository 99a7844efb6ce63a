package handlers_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
)

// What the console shows somebody follows from the routes and the navigation: what
// they may not see is not there, what they may not do now has its reason.
func TestFeatures(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.plugin("publisher", greeting(), nil)
	type features struct {
		Pages   []struct{ Page, Path string }
		Actions []struct {
			Action  string
			Allowed bool
			Reason  string
			Missing []string
		}
		Plugins []struct {
			Plugin  string
			Allowed bool
			Reason  string
		}
	}
	of := func(b *browser) (f features, tag string) {
		t.Helper()
		p := b.get("/admin/features")
		if err := json.Unmarshal([]byte(p.Body), &f); p.StatusCode != http.StatusOK || err != nil {
			t.Fatalf("answered %d, %v", p.StatusCode, err)
		}
		return f, p.Header.Get("ETag")
	}
	has := func(f features, path string) bool {
		return slices.ContainsFunc(f.Pages, func(p struct{ Page, Path string }) bool { return p.Path == path })
	}
	action := func(f features, name string) (allowed, there bool, missing []string) {
		for _, a := range f.Actions {
			if a.Action == name {
				return a.Allowed, true, a.Missing
			}
		}
		return false, false, nil
	}

	admin, tag := of(mara)
	if allowed, _, _ := action(admin, "plugin.enable"); !allowed || !has(admin, "/console/users") || !has(admin, "/console/policies") {
		t.Error("an administrator lacks something")
	}
	mara.header.Set("If-None-Match", tag)
	if p := mara.get("/admin/features"); p.StatusCode != http.StatusNotModified {
		t.Errorf("asked again: %d", p.StatusCode)
	}

	viewer, _ := of(c.person("viewer@example.com", "Viewer", "viewer"))
	if allowed, there, missing := action(viewer, "plugin.enable"); allowed || !there || !slices.Equal(missing, []string{"plugin_manager"}) {
		t.Errorf("a viewer and plugin.enable: %v %v %v", allowed, there, missing)
	}
	if _, there, _ := action(viewer, "user.invite"); there || has(viewer, "/console/users") || !has(viewer, "/console/plugins") {
		t.Error("a viewer sees what is not theirs, or not what is")
	}
	if len(viewer.Plugins) != 1 || viewer.Plugins[0].Allowed || viewer.Plugins[0].Reason == "" {
		t.Errorf("a viewer's plugins are %+v", viewer.Plugins)
	}
	nobody, _ := of(c.person("nobody@example.com", "Nobody"))
	if len(nobody.Actions) > 0 || len(nobody.Plugins) > 0 || has(nobody, "/console/plugins") || !has(nobody, "/console/account") {
		t.Errorf("somebody without a trait sees %+v", nobody)
	}
}
