package evidence

import (
	"fmt"
	"strings"
	"time"
)

// Thresholds of the checks. The rule names no numbers; these are usual ones.
const (
	usualIdlePHI  = 30 * time.Minute
	usualIdle     = 4 * time.Hour
	usualSession  = 24 * time.Hour
	usualGrace    = 14 * 24 * time.Hour
	usualKeyLife  = 400 * 24 * time.Hour
	usualVerified = 30 * 24 * time.Hour
	sealWarning   = 30 * 24 * time.Hour
	headsLate     = 15 * time.Minute
)

// check is one thing that has to be so. grave: without it the control is missing,
// not only weaker.
type check struct {
	control string
	grave   bool
	lacks   func(*Facts) (text string) // "": it is so
	do      string
	page    Page
}

// when returns a check's answer: the sentence where the condition holds.
func when(holds func(*Facts) bool, text string) func(*Facts) string {
	return func(f *Facts) string {
		if holds(f) {
			return text
		}
		return ""
	}
}

// named returns a check's answer about the plugins with PHI for which ok is false.
func named(ok func(Plugin) bool, text string) func(*Facts) string {
	return func(f *Facts) string {
		if ids := f.phi(ok); len(ids) > 0 {
			return fmt.Sprintf(text, strings.Join(ids, ", "))
		}
		return ""
	}
}

// checks are all there are, by control.
var checks = [...]check{
	{control: accessControl, grave: true, page: Plugins, do: "Set registration to token or approval, in vivified.yaml or the environment.",
		lacks: when(func(f *Facts) bool { return f.Registration == "open" }, "Any program that reaches the core may register as a plugin.")},
	{control: accessControl, page: Policies, do: "Mend the newest rules and publish them again.",
		lacks: when(func(f *Facts) bool { return f.Rules.Broken != "" }, "The newest rules do not compile; an older version is in force.")},
	{control: accessControl, page: Plugins, do: "Set auto_enable to false.",
		lacks: when(func(f *Facts) bool { return f.AutoEnable }, "A plugin is enabled as soon as it registers, with nobody's word.")},
	{control: accessControl, page: Egress, do: "Set egress_auto_approve to false.",
		lacks: when(func(f *Facts) bool { return f.EgressAuto }, "Plugins may reach the hosts they declare, with nobody's word.")},
	{control: accessControl, page: Plugins, do: "Let its manifest declare handles_phi, and accept it.",
		lacks: named(func(p Plugin) bool { return p.Audited }, "In use with PHI but without the trait audit_required: %s.")},

	{control: uniqueUser, do: "Set api_key_life to a year or less.",
		lacks: when(func(f *Facts) bool { return f.KeyLife > usualKeyLife }, "API keys may live longer than a year, also after their owner changed tasks.")},

	{control: emergency, grave: true, page: BreakGlass, do: "Make an account for emergencies and put its password under seal.",
		lacks: when(func(f *Facts) bool { return f.usableGlass(0) == 0 }, "No account for emergencies could be used now.")},
	{control: emergency, page: BreakGlass, do: "Rotate it: it gets a new password and a new end.",
		lacks: when(func(f *Facts) bool { return f.usableGlass(0) > 0 && f.usableGlass(sealWarning) == 0 }, "The last seal of an account for emergencies runs out within 30 days.")},
	{control: emergency, page: BreakGlass, do: "Read the reason and acknowledge it.",
		lacks: when(func(f *Facts) bool { return f.Unseen > 0 }, "An account for emergencies was used, and nobody acknowledged it.")},

	{control: logoff, grave: true, do: "Set session_idle_phi to 15m.",
		lacks: when(func(f *Facts) bool { return f.IdlePHI > usualIdle }, "Sessions that may show PHI stay open for more than four idle hours.")},
	{control: logoff, do: "Set session_idle_phi to 15m.",
		lacks: when(func(f *Facts) bool { return f.IdlePHI > usualIdlePHI && f.IdlePHI <= usualIdle }, "Sessions that may show PHI stay open for more than 30 idle minutes.")},
	{control: logoff, do: "Set session_idle to 1h.",
		lacks: when(func(f *Facts) bool { return f.Idle > usualIdle }, "Other sessions stay open for more than four idle hours.")},
	{control: logoff, do: "Set session_absolute to 12h.",
		lacks: when(func(f *Facts) bool { return f.Absolute > usualSession }, "A session in constant use goes on for more than a day.")},

	{control: encryption, do: "Keep it elsewhere: set VIVIFIED_MASTER_KEY_FILE, or VIVIFIED_MASTER_KEY.",
		lacks: when(func(f *Facts) bool { return !f.KeyOutside }, "The master key lies in the data directory: a copy of that opens what is sealed.")},

	{control: auditControls, grave: true, page: Plugins, do: "Let its manifest ask for the audit level basic or more, and accept it.",
		lacks: named(func(p Plugin) bool { return p.Recorded }, "In use with PHI while only denials are recorded: %s.")},
	{control: auditControls, page: Forwarding, do: "Add a sink: a syslog server, a webhook or a collector.",
		lacks: when(func(f *Facts) bool { return !f.forwarded() }, "No other system gets the records, so that nothing watches them but the core itself.")},
	{control: auditControls, page: Forwarding, do: "Look at its last error and try it.",
		lacks: when(func(f *Facts) bool { return f.anySink(func(s Sink) bool { return s.Failing }) }, "A sink does not take what it is sent.")},
	{control: auditControls, page: Forwarding, do: "Export what it lacks and hand it over; then find out why it was away that long.",
		lacks: when(func(f *Facts) bool { return f.anySink(func(s Sink) bool { return s.Missed > 0 }) }, "A sink lacks records that were removed here before it had them.")},
	{control: auditControls, page: Audit, do: "Look through it regularly; each look is recorded.",
		lacks: when(func(f *Facts) bool { return !f.recorded("audit.read", "audit.export") }, "Nobody examined the audit in this period.")},

	{control: integrity, grave: true, page: Verify, do: "Find out why from the first bad record, and keep the database and the heads as they are.",
		lacks: when(func(f *Facts) bool { return f.Verified != nil && !f.Verified.OK }, "The last verification found a record that is not as it was written.")},
	{control: integrity, grave: true, page: Verify, do: "See that the data directory can be written, and read the core's log.",
		lacks: when(func(f *Facts) bool { return f.Heads == nil }, "There is no file of signed heads: a chain computed anew would not be noticed.")},
	{control: integrity, page: Verify, do: "See that the data directory can be written, and read the core's log.",
		lacks: when(func(f *Facts) bool { return f.Heads != nil && f.At.Sub(f.Heads.At) > headsLate+f.HeadsEvery }, "No head was signed for more than a quarter of an hour.")},
	{control: integrity, page: Verify, do: "Verify the chain, at least every 30 days.",
		lacks: when(func(f *Facts) bool { return f.Verified == nil || f.At.Sub(f.Verified.At) > usualVerified }, "Nobody verified the chain for 30 days.")},
	{control: integrity, page: Forwarding, do: "Forward the audit, or set audit_heads_bucket or audit_heads_webhook: a second place then has the hashes.",
		lacks: when(func(f *Facts) bool { return !f.apart() }, "Records and signed heads are in one place: whoever holds that machine holds both.")},
	{control: integrity, page: Verify, do: "See that the bucket or the webhook can be reached, and read the core's log.",
		lacks: when((*Facts).copyFailing, "A second place does not take the signed heads.")},

	{control: authentication, grave: true, do: "Set second_factor to sensitive or everybody.",
		lacks: when(func(f *Facts) bool { return f.SecondFactor == "nobody" }, "Nobody has to show a second factor.")},
	{control: authentication, do: "Set second_factor_grace to 7d or less.",
		lacks: when(func(f *Facts) bool { return f.SecondFactor != "nobody" && f.Grace > usualGrace }, "People may go without the second factor for more than two weeks.")},
	{control: authentication, do: "Set auth_local_login_rescue to false once the identity provider is back.",
		lacks: when(func(f *Facts) bool { return f.Rescue }, "Passwords are accepted although signing in by them may be switched off.")},
	{control: authentication, grave: true, page: Plugins, do: "Set registration to token or approval, in vivified.yaml or the environment.",
		lacks: when(func(f *Facts) bool { return f.Registration == "open" }, "A plugin that registers has to prove nothing.")},

	{control: transmission, do: "Set tls_cert_file and tls_key_file, or put a trusted proxy with TLS before the core.",
		lacks: when(func(f *Facts) bool { return !f.Secure }, "The core is served over plain http, on this machine only.")},
	{control: transmission, grave: true, do: "Give database_url sslmode=verify-full.",
		lacks: when(func(f *Facts) bool { return f.Database == Clear }, "The database is reached over a network without TLS.")},
	{control: transmission, grave: true, do: "Give nats_url the scheme tls.",
		lacks: when(func(f *Facts) bool { return f.Bus == Clear }, "The bus is reached over a network without TLS.")},
	{control: transmission, grave: true, page: Plugins, do: "Serve it over https, or on the core's machine.",
		lacks: named(func(p Plugin) bool { return p.Way != Clear }, "In use with PHI and reached over a network without TLS: %s.")},

	{control: retention, page: Audit, do: "Find the archive it is in, and keep that for six years from when it was written.",
		lacks: when(func(f *Facts) bool { return f.First.IsZero() && f.Archived.First.IsZero() }, "The first change that was recorded is not here any more.")},
	{control: retention, page: Forwarding, do: "Forward the audit to a system that keeps it for six years.",
		lacks: when(func(f *Facts) bool { return !f.forwarded() }, "There is one copy of the records, in the database.")},
}

// usableGlass counts the accounts for emergencies that could be used so long from now.
func (f *Facts) usableGlass(from time.Duration) (n int) {
	for _, g := range f.Glass {
		if g.usable(f.At.Add(from)) {
			n++
		}
	}
	return n
}

func (f *Facts) anySink(is func(Sink) bool) bool {
	for _, s := range f.Sinks {
		if s.Enabled && is(s) {
			return true
		}
	}
	return false
}

// recorded reports whether any of the actions was recorded in the period.
func (f *Facts) recorded(actions ...string) bool {
	for _, a := range actions {
		if _, ok := f.Last[a]; ok {
			return true
		}
	}
	return false
}
