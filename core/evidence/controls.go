package evidence

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Page is a part of the console where something is seen or changed.
type Page string

// The pages.
const (
	Audit      Page = "audit"
	Verify     Page = "verify"
	Forwarding Page = "forwarding"
	Retention  Page = "retention"
	Policies   Page = "policies"
	Plugins    Page = "plugins"
	Egress     Page = "egress"
	Users      Page = "users"
	SSO        Page = "sso"
	BreakGlass Page = "break_glass"
)

// Identifiers of the controls.
const (
	accessControl  = "access-control"
	uniqueUser     = "unique-user"
	emergency      = "emergency-access"
	logoff         = "automatic-logoff"
	encryption     = "encryption"
	auditControls  = "audit-controls"
	integrity      = "integrity"
	authentication = "authentication"
	transmission   = "transmission"
	retention      = "retention"
)

// control is what the rule asks, how the core meets it, and where that is recorded.
type control struct {
	id, ref, title string
	asks           string // the rule's own words
	facts          func(*Facts) []Fact
	trails         []trail
	rare           bool   // that nothing was recorded says nothing
	beyond         string // what the core cannot see
}

// trail is a kind of record.
type trail struct{ action, text string }

// controls are all that are looked at, in the order of the rule.
var controls = [...]control{
	{
		id: accessControl, ref: "45 CFR 164.312(a)(1)", title: "Access control",
		asks: "Allow access to electronic protected health information only to those persons or software programs that have been granted access rights.",
		facts: func(f *Facts) []Fact {
			rules := fmt.Sprintf("version %d, %s", f.Rules.Version, count(f.AdminRules, "rule", "rules"))
			if f.Rules.Version == 0 {
				rules = "none beside the built-in ones"
			}
			return []Fact{
				{"Without a rule that allows", "denied", ""}, {"Rules of your own", rules, Policies}, {"Published by", choose(f.FourEyes, "two people", "one person"), Policies},
				{"Roles", list(f.Roles), Users}, {"Who may register a plugin", registrations[f.Registration], Plugins},
				{"Plugins in use", fmt.Sprintf("%d, of which %d work with PHI", len(f.Plugins), len(f.phi(func(Plugin) bool { return false }))), Plugins},
			}
		},
		trails: []trail{{"operator.call", "calls, allowed and denied"}, {"user.grant", "rights given to people"}, {"user.roles", "roles changed"}, {"grant.give", "operations granted to plugins"}, {"plugin.manifest.accept", "manifests accepted"}, {"policy.publish", "rules published"}},
		beyond: "Who reaches the database or the machine past the core.",
	},
	{
		id: uniqueUser, ref: "45 CFR 164.312(a)(2)(i)", title: "Unique user identification",
		asks: "Assign a unique name and/or number for identifying and tracking user identity.",
		facts: func(f *Facts) []Fact {
			return []Fact{
				{"Each account", "a number and an address of its own, never used again", Users}, {"Each record", "names the account, and the session or key it acted by", Audit},
				{"Identity providers", list(f.Providers), SSO}, {"Longest life of an API key", span(f.KeyLife), ""},
			}
		},
		trails: []trail{{"auth.login", "sign-ins"}, {"user.invite", "people invited"}, {"user.create", "accounts made"}, {"key.create", "API keys made"}},
		beyond: "Whether two people share an account.",
	},
	{
		id: emergency, ref: "45 CFR 164.312(a)(2)(ii)", title: "Emergency access procedure", rare: true,
		asks: "Establish (and implement as needed) procedures for obtaining necessary electronic protected health information during an emergency.",
		facts: func(f *Facts) []Fact {
			facts := []Fact{}
			for _, g := range f.Glass {
				facts = append(facts, Fact{g.Name, choose(g.usable(f.At), "sealed until "+day(g.Expires), "not usable"), BreakGlass})
			}
			if len(facts) == 0 {
				facts = append(facts, Fact{"Accounts for emergencies", "none", BreakGlass})
			}
			return append(facts, Fact{"Session of one", "ends after " + span(f.Emergency), ""}, Fact{"Each use", "wants a reason, which every administrator reads", BreakGlass})
		},
		trails: []trail{{"break_glass.make", "accounts for emergencies made"}, {"break_glass.rotate", "seals renewed"}, {"auth.break_glass", "uses"}, {"break_glass.acknowledge", "uses acknowledged"}},
		beyond: "Where the sealed password lies, and who can get at it.",
	},
	{
		id: logoff, ref: "45 CFR 164.312(a)(2)(iii)", title: "Automatic logoff",
		asks: "Implement electronic procedures that terminate an electronic session after a predetermined time of inactivity.",
		facts: func(f *Facts) []Fact {
			return []Fact{
				{"Idle session that may show PHI", "ends after " + span(f.IdlePHI), ""}, {"Any other idle session", "ends after " + span(f.Idle), ""},
				{"Any session", "ends after " + span(f.Absolute), ""},
			}
		},
		trails: []trail{{"auth.login", "sessions begun"}, {"auth.logout", "people signing out"}, {"session.revoke", "sessions ended by somebody"}},
		beyond: "Screens that lock by themselves.",
	},
	{
		id: encryption, ref: "45 CFR 164.312(a)(2)(iv)", title: "Encryption and decryption",
		asks: "Implement a mechanism to encrypt and decrypt electronic protected health information.",
		facts: func(f *Facts) []Fact {
			return []Fact{
				{"Secrets, and events on their way to the bus", "AES-256-GCM, each value under a key of its own", ""},
				{"Master key", choose(f.KeyOutside, "given from outside the data directory", "in the data directory"), ""},
			}
		},
		trails: []trail{{"signing_key.create", "signing keys made and sealed"}, {"egress.credential.set", "credentials sealed"}, {"master_key.rotate", "sealing keys put under a new master key"}}, rare: true,
		beyond: "Whether the disks of the database and its backups are encrypted.",
	},
	{
		id: auditControls, ref: "45 CFR 164.312(b)", title: "Audit controls",
		asks: "Implement hardware, software, and/or procedural mechanisms that record and examine activity in information systems that contain or use electronic protected health information.",
		facts: func(f *Facts) []Fact {
			facts := []Fact{{"Recorded so far", fmt.Sprintf("%d records in %s", f.Records, count(f.Chains, "chain", "chains")), Audit}, {"What cannot be recorded", "does not happen", ""}}
			for _, s := range f.Sinks {
				facts = append(facts, Fact{"Forwarded to " + s.Name, choose(s.Enabled, fmt.Sprintf("%d records wait", s.Behind), "switched off"), Forwarding})
			}
			return facts
		},
		trails: []trail{{"audit.read", "looks into the audit"}, {"audit.export", "exports"}, {"audit.sink.add", "sinks added"}},
		beyond: "What the systems do that records are forwarded to.",
	},
	{
		id: integrity, ref: "45 CFR 164.312(c)(1)", title: "Integrity",
		asks: "Protect electronic protected health information from improper alteration or destruction.",
		facts: func(f *Facts) []Fact {
			facts := []Fact{{"Each record", "bears the hash of itself and of the one before it", ""}, {"The core's role in the database", "adds records, and cannot change or delete any", ""}, {"Heads", "signed every " + span(f.HeadsEvery), ""}}
			for _, k := range f.Keys {
				if k.Signs {
					facts = append(facts, Fact{"Signed with", k.ID, ""})
				}
			}
			if f.Heads != nil {
				facts = append(facts, Fact{"Last head kept", minute(f.Heads.At), ""})
			}
			for _, c := range f.Copies {
				at := "nothing yet"
				if !c.Kept.IsZero() {
					at = minute(c.Kept)
				}
				facts = append(facts, Fact{"Copied to " + c.Name, at, ""})
			}
			if v := f.Verified; v != nil {
				facts = append(facts, Fact{"Last verification", fmt.Sprintf("%s by %s: %s", minute(v.At), v.By, choose(v.OK, fmt.Sprintf("%d records, all as written", v.Rows), "something is not as written")), Verify})
			}
			return facts
		},
		trails: []trail{{"audit.verify", "verifications"}, {"signing_key.create", "signing keys made"}, {"signing_key.revoke", "signing keys revoked"}}, rare: true,
		beyond: "Whether plugins guard the data they keep themselves.",
	},
	{
		id: authentication, ref: "45 CFR 164.312(d)", title: "Person or entity authentication",
		asks: "Verify that a person or entity seeking access to electronic protected health information is the one claimed.",
		facts: func(f *Facts) []Fact {
			return []Fact{
				{"Second factor", factors[f.SecondFactor], ""}, {"Without it", "for " + span(f.Grace) + " at most", ""}, {"Dangerous actions", "want a proof no older than " + span(f.Fresh), ""},
				{"Passwords kept here", choose(f.LocalLogin || f.Rescue, "accepted", "not accepted"), SSO}, {"Identity providers", list(f.Providers), SSO},
				{"Plugins", "show signed tokens that live for minutes", Plugins},
			}
		},
		trails: []trail{{"auth.login", "sign-ins, good and bad"}, {"auth.step_up", "proofs before dangerous actions"}, {"factor.add", "second factors added"}, {"factor.reset", "second factors reset"}, {"plugin.token", "tokens given to plugins"}},
		beyond: "How the identity provider proves people.",
	},
	{
		id: transmission, ref: "45 CFR 164.312(e)(1)", title: "Transmission security",
		asks: "Guard against unauthorized access to electronic protected health information that is being transmitted over an electronic communications network.",
		facts: func(f *Facts) []Fact {
			ways := map[Way]int{}
			for _, p := range f.Plugins {
				ways[p.Way]++
			}
			return []Fact{
				{"Console and API", choose(f.Secure, "https", "plain http, on this machine only"), ""}, {"Database", wayWords[f.Database], ""}, {"Bus", wayWords[f.Bus], ""},
				{"Plugins in use", fmt.Sprintf("%d over TLS, %d on this machine, %d in clear", ways[Encrypted], ways[Here], ways[Clear]), Plugins},
				{"Forwarded records", "never in clear over a network", Forwarding},
			}
		},
		trails: []trail{{"proxy.request", "requests of plugins to hosts outside"}, {"egress.approve", "hosts approved"}, {"egress.withdraw", "approvals withdrawn"}}, rare: true,
		beyond: "Networks and proxies before the core.",
	},
	{
		id: retention, ref: "45 CFR 164.316(b)(2)(i)", title: "Retention of documentation",
		asks: "Retain the documentation for 6 years from the date of its creation or the date when it last was in effect, whichever is later.",
		facts: func(f *Facts) []Fact {
			first := Fact{"First change recorded", "not here", Audit}
			switch {
			case !f.First.IsZero():
				first.Value = minute(f.First)
			case !f.Archived.First.IsZero():
				first.Value = minute(f.Archived.First) + ", in an archive"
			}
			return []Fact{first, {"Records about health information", fmt.Sprintf("kept %d days", f.KeepPHI), Retention},
				{"Changes, refusals, sign-ins", fmt.Sprintf("kept %d days", f.KeepSecurity), Retention}, {"Every other record", fmt.Sprintf("kept %d days", f.KeepOther), Retention},
				{"Purged, and in archives that verify", fmt.Sprintf("%s in %s", count(int(f.Archived.Records), "record", "records"), count(int(f.Archived.Files), "file", "files")), Retention},
				{"Holds in force", strconv.FormatInt(f.Archived.Holds, 10), Retention}, {"The core's role in the database", "cannot remove a record", ""}, {"Published rules", "kept, every version", Policies}, {"Changes of settings", "kept with before and after", Audit}}
		},
		trails: []trail{{"config.write", "settings changed"}, {"policy.publish", "rules published"}, {"role.change", "roles changed"}, {"plugin.register", "manifests registered"}, {"audit.purge", "purges"}, {"audit.hold.place", "holds placed"}},
		beyond: "Backups, and how long they are kept.",
	},
}

var (
	registrations = map[string]string{"token": "the holder of a token", "approval": "anyone, until an administrator approves", "open": "anyone, at once"}
	factors       = map[string]string{"nobody": "required of nobody", "sensitive": "required of whoever holds a sensitive trait", "everybody": "required of everybody"}
	wayWords      = map[Way]string{Here: "on this machine", Encrypted: "over TLS", Clear: "over a network without TLS"}
)

func choose(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// span writes a duration in its largest whole unit.
func span(d time.Duration) string {
	for _, u := range []struct {
		of        time.Duration
		one, more string
	}{{24 * time.Hour, "day", "days"}, {time.Hour, "hour", "hours"}, {time.Minute, "minute", "minutes"}} {
		if d >= u.of && d%u.of == 0 {
			return count(int(d/u.of), u.one, u.more)
		}
	}
	return d.String()
}

func day(t time.Time) string    { return t.UTC().Format("2 January 2006") }
func minute(t time.Time) string { return t.UTC().Format("2 January 2006 15:04") + " UTC" }
