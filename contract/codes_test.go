package contract_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/contract"
	"github.com/vivified/vivified/core/policy"
)

// rooms are where faults are made.
var rooms = []string{"../core", "../lanes", "../pluginmgr", "../handlers", "../db", "../cmd"}

// open lists what stands where a code is put together from something that the
// sources alone do not tell, by the text of the expression.
var open = map[string][]string{
	// The state of a plugin that is called and not active.
	"string(state)":          {string(policy.Disabled), string(policy.Quarantined)},
	"string(r.Target.State)": {string(policy.Registered), string(policy.Disabled), string(policy.Unhealthy), string(policy.Quarantined)},
	// Why the operator's rules keep a bundle from being installed.
	"v.Verdict.Blocked[0].Code": {
		"manifest.invalid", "signature.missing", "signature.untrusted", "plugin.blocked", "publisher.blocked", "plugin.not_allowed", "publisher.not_allowed",
		"runtime.unavailable", "bundle.no_image",
	},
	// A keyword of the JSON Schema of a plugin's settings.
	"keyword": {"KEYWORD"},
	// What a running core answered, as the command line passes it on.
	"p.Code": nil,
	// A rule of a violation or of a decision: found where that one is made.
	"violated": nil, "bad[0].Rule": nil, "fs[0].Rule": nil, "d.Rule": nil, "x.Rule": nil, "r.Rule": nil, "f.Code": nil,
}

type coded struct {
	Code    string `json:"code"`
	Meaning string `json:"meaning"`
}

// TestCodesListEveryProblem reads the sources: whatever a fault or a violation can
// be called is in codes.json, and nothing else is.
func TestCodesListEveryProblem(t *testing.T) {
	var list struct {
		Findings, Problems []coded
	}
	if err := json.Unmarshal([]byte(contract.Codes), &list); err != nil {
		t.Fatal(err)
	}
	used := readCodes(t, rooms...)
	used["core.default"] = "core/policy"
	used["admin.RULE"] = "core/policy" // RULE is the @id of an administrator's rule
	for _, r := range policy.Rules() {
		used[r.ID] = "core/policy"
	}
	findings, problems := map[string]bool{}, map[string]bool{}
	for _, f := range list.Findings {
		findings[f.Code] = true
	}
	for _, p := range list.Problems {
		problems[p.Code] = true
		if _, ok := used[p.Code]; !ok {
			t.Errorf("codes.json lists the problem %q, which nothing makes", p.Code)
		}
		if findings[p.Code] {
			t.Errorf("codes.json lists %q among findings and among problems", p.Code)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(used)) {
		if !problems[code] && !findings[code] {
			t.Errorf("codes.json lacks %q, made in %s", code, used[code])
		}
	}
	if !slices.IsSortedFunc(list.Problems, func(a, b coded) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("the problems of codes.json are not in the order of their codes")
	}
}
