package evidence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/evidence"
	"github.com/vivified/vivified/core/rulebook"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// sound are facts that lack nothing.
func sound() evidence.Facts {
	f := evidence.Facts{
		At: now, Since: now.Add(-30 * day),
		SecondFactor: "sensitive", Grace: 7 * day, Fresh: 10 * time.Minute, Emergency: hour, Idle: hour, IdlePHI: 15 * time.Minute, Absolute: 12 * hour, KeyLife: 366 * day,
		LocalLogin: true, Registration: "token", HeadsEvery: time.Minute, Secure: true, Database: evidence.Encrypted, Bus: evidence.Here, KeyOutside: true,
		Roles: []string{"admin", "auditor"}, Glass: []evidence.Glass{{Name: "Break-glass", Active: true, Expires: now.Add(200 * day)}}, Keys: []evidence.Key{{ID: "k1", Signs: true}},
		Rules: rulebook.Standing{Version: 3, Published: 3}, AdminRules: 2,
		Plugins: []evidence.Plugin{{ID: "fax", PHI: true, Audited: true, Recorded: true, Way: evidence.Encrypted}, {ID: "clock", Way: evidence.Clear}},
		Chains:  2, Records: 1200, First: now.Add(-300 * day), Heads: &evidence.File{At: now.Add(-time.Minute), Bytes: 900},
		Sinks:    []evidence.Sink{{Name: "siem", Enabled: true}, {Name: "old", Failing: true, Missed: 4}},
		Verified: &evidence.Verified{At: now.Add(-day), By: "Ada", OK: true, Rows: 1190}, Last: map[string]time.Time{},
	}
	for _, a := range []string{"auth.login", "operator.call", "audit.read", "policy.publish"} {
		f.Last[a] = now.Add(-hour)
	}
	return f
}

// Every check, one by one: what is changed of sound facts, and which controls it
// leaves in which status, all others being in place.
func TestEachCheck(t *testing.T) {
	const missing, partly = evidence.Missing, evidence.Partly
	type left map[string]evidence.Status
	for name, c := range map[string]struct {
		edit func(*evidence.Facts)
		want left
		says string
	}{
		"nothing lacks":                     {func(f *evidence.Facts) {}, left{}, ""},
		"anyone registers":                  {func(f *evidence.Facts) { f.Registration = "open" }, left{"access-control": missing, "authentication": missing}, "may register as a plugin"},
		"the newest rules are broken":       {func(f *evidence.Facts) { f.Rules.Broken = "line 3" }, left{"access-control": partly}, "do not compile"},
		"plugins are enabled by themselves": {func(f *evidence.Facts) { f.AutoEnable = true }, left{"access-control": partly}, "enabled as soon"},
		"hosts are approved by themselves":  {func(f *evidence.Facts) { f.EgressAuto = true }, left{"access-control": partly}, "hosts they declare"},
		"a plugin with PHI is not audited":  {func(f *evidence.Facts) { f.Plugins[0].Audited = false }, left{"access-control": partly}, "audit_required: fax."},
		"keys live for years":               {func(f *evidence.Facts) { f.KeyLife = 800 * day }, left{"unique-user": partly}, "longer than a year"},
		"no account for emergencies":        {func(f *evidence.Facts) { f.Glass = nil }, left{"emergency-access": missing}, "No account for emergencies"},
		"its seal ran out":                  {func(f *evidence.Facts) { f.Glass[0].Expires = now }, left{"emergency-access": missing}, "No account for emergencies"},
		"it is suspended":                   {func(f *evidence.Facts) { f.Glass[0].Active = false }, left{"emergency-access": missing}, "No account for emergencies"},
		"its seal runs out soon":            {func(f *evidence.Facts) { f.Glass[0].Expires = now.Add(20 * day) }, left{"emergency-access": partly}, "within 30 days"},
		"a use nobody saw":                  {func(f *evidence.Facts) { f.Unseen = 1 }, left{"emergency-access": partly}, "nobody acknowledged"},
		"PHI is open for an hour":           {func(f *evidence.Facts) { f.IdlePHI = hour }, left{"automatic-logoff": partly}, "30 idle minutes"},
		"PHI is open for a day":             {func(f *evidence.Facts) { f.IdlePHI = day }, left{"automatic-logoff": missing}, "four idle hours"},
		"other sessions are open for long":  {func(f *evidence.Facts) { f.Idle = day }, left{"automatic-logoff": partly}, "Other sessions"},
		"sessions never end":                {func(f *evidence.Facts) { f.Absolute = 30 * day }, left{"automatic-logoff": partly}, "constant use"},
		"the key lies beside the data":      {func(f *evidence.Facts) { f.KeyOutside = false }, left{"encryption": partly}, "master key lies"},
		"PHI is not recorded":               {func(f *evidence.Facts) { f.Plugins[0].Recorded = false }, left{"audit-controls": missing}, "only denials are recorded: fax."},
		"no sink":                           {func(f *evidence.Facts) { f.Sinks = f.Sinks[1:] }, left{"audit-controls": partly, "integrity": partly, "retention": partly}, "No other system"},
		"a sink fails":                      {func(f *evidence.Facts) { f.Sinks[0].Failing = true }, left{"audit-controls": partly}, "does not take"},
		"a sink lacks records":              {func(f *evidence.Facts) { f.Sinks[0].Missed = 1 }, left{"audit-controls": partly}, "lacks records"},
		"nobody looked":                     {func(f *evidence.Facts) { delete(f.Last, "audit.read") }, left{"audit-controls": partly}, "Nobody examined"},
		"the chain is broken":               {func(f *evidence.Facts) { f.Verified.OK = false }, left{"integrity": missing}, "not as it was written"},
		"no heads are kept":                 {func(f *evidence.Facts) { f.Heads = nil }, left{"integrity": missing}, "no file of signed heads"},
		"heads alone in a second place": {func(f *evidence.Facts) {
			f.Sinks, f.Copies = f.Sinks[1:], []audit.HeadCopy{{Name: "the bucket", Kept: now}}
		}, left{"audit-controls": partly, "retention": partly}, "No other system"},
		"a place for heads that is away": {func(f *evidence.Facts) { f.Copies = []audit.HeadCopy{{Name: "the bucket", Failing: now}} }, left{"integrity": partly}, "does not take the signed heads"},
		"no head for an hour":            {func(f *evidence.Facts) { f.Heads.At = now.Add(-hour) }, left{"integrity": partly}, "quarter of an hour"},
		"never verified":                 {func(f *evidence.Facts) { f.Verified = nil }, left{"integrity": partly}, "Nobody verified"},
		"verified long ago":              {func(f *evidence.Facts) { f.Verified.At = now.Add(-31 * day) }, left{"integrity": partly}, "Nobody verified"},
		"no second factor":               {func(f *evidence.Facts) { f.SecondFactor = "nobody"; f.Grace = 90 * day }, left{"authentication": missing}, "Nobody has to show"},
		"a long grace":                   {func(f *evidence.Facts) { f.Grace = 30 * day }, left{"authentication": partly}, "two weeks"},
		"passwords by rescue":            {func(f *evidence.Facts) { f.Rescue = true }, left{"authentication": partly}, "Passwords are accepted"},
		"plain http":                     {func(f *evidence.Facts) { f.Secure = false }, left{"transmission": partly}, "plain http"},
		"the database in clear":          {func(f *evidence.Facts) { f.Database = evidence.Clear }, left{"transmission": missing}, "The database is reached"},
		"the bus in clear":               {func(f *evidence.Facts) { f.Bus = evidence.Clear }, left{"transmission": missing}, "The bus is reached"},
		"PHI in clear":                   {func(f *evidence.Facts) { f.Plugins[0].Way = evidence.Clear }, left{"transmission": missing}, "without TLS: fax."},
		"the beginning is gone":          {func(f *evidence.Facts) { f.First = time.Time{} }, left{"retention": partly}, "first change"},
		"nobody signed in":               {func(f *evidence.Facts) { delete(f.Last, "auth.login") }, left{"unique-user": partly, "automatic-logoff": partly, "authentication": partly}, "Nothing was recorded"},
	} {
		t.Run(name, func(t *testing.T) {
			f := sound()
			c.edit(&f)
			got, said := left{}, ""
			for _, one := range evidence.Judge(&f) {
				if one.Status != evidence.InPlace {
					got[one.ID] = one.Status
				}
				if (one.Status == evidence.InPlace) != (len(one.Missing) == 0) {
					t.Errorf("%s is %s and lacks %v", one.ID, one.Status, one.Missing)
				}
				for _, g := range one.Missing {
					said += g.Text
					if !strings.HasSuffix(g.Text, ".") || !strings.HasSuffix(g.Do, ".") {
						t.Errorf("%s: %q, %q are no sentences", one.ID, g.Text, g.Do)
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("statuses differ (-want +got):\n%s", diff)
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("it says %q, not %q", said, c.says)
			}
		})
	}
}

// Every control says what the rule asks, what is configured, what proves it and
// what the core cannot see; none calls anything compliant.
func TestControlsAreWhole(t *testing.T) {
	f := sound()
	all := evidence.Judge(&f)
	if len(all) != 10 {
		t.Errorf("there are %d controls", len(all))
	}
	for _, c := range all {
		if !strings.HasPrefix(c.Reference, "45 CFR 164.31") || c.Title == "" || c.Asks == "" || c.Beyond == "" || len(c.Configured) == 0 || len(c.Records) == 0 {
			t.Errorf("%s is not whole: %+v", c.ID, c)
		}
		for _, fact := range c.Configured {
			if fact.Label == "" || fact.Value == "" {
				t.Errorf("%s: an empty fact %+v", c.ID, fact)
			}
		}
	}
}

func TestWays(t *testing.T) {
	for raw, want := range map[string]evidence.Way{
		"":                         evidence.Here,
		"https://fax.example":      evidence.Encrypted,
		"http://fax.example:8080":  evidence.Clear,
		"http://127.0.0.1:8080":    evidence.Here,
		"http://[::1]:8080":        evidence.Here,
		"nats://localhost:4222":    evidence.Here,
		"tls://nats.example":       evidence.Encrypted,
		"nats://nats.example:4222": evidence.Clear,
		"://":                      evidence.Clear,
	} {
		if got := evidence.URLWay(raw); got != want {
			t.Errorf("%q is reached %s, want %s", raw, got, want)
		}
	}
	for raw, want := range map[string]evidence.Way{
		"":                                 evidence.Here,
		"postgres://a@127.0.0.1/v":         evidence.Here,
		"postgres:///v?host=/run/postgres": evidence.Here,
		"postgres://a@db.example/v":        evidence.Clear, // sslmode=prefer falls back
		"postgres://a@db.example/v?sslmode=disable": evidence.Clear,
		"postgres://a@db.example/v?sslmode=require": evidence.Encrypted,
	} {
		if got := evidence.DatabaseWay(raw); got != want {
			t.Errorf("%q is reached %s, want %s", raw, got, want)
		}
	}
}
