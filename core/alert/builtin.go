package alert

import "time"

const minute, hour = Duration(time.Minute), Duration(time.Hour)

// everywhere tells every channel there is.
func everywhere() []Channel { return Channels() }

// builtin returns the rules that an installation begins with.
func builtin() []Rule {
	record := func(id, name string, enabled bool, s Spec) Rule {
		return Rule{ID: id, Name: name, Enabled: enabled, Builtin: true, Spec: s}
	}
	return []Rule{
		record("core.plugin-unhealthy", "A plugin is unhealthy", true, Spec{
			Text: "It failed its health checks; its lanes are closed until it answers. Look at its logs, or put it into quarantine.", Severity: Critical, Channels: everywhere(), State: PluginUnhealthy,
		}),
		record("core.plugin-degraded", "A plugin is degraded", true, Spec{
			Text: "A health check fails now and then, or the plugin says so itself. It still takes part in the lanes.", Severity: Warning, Channels: everywhere(), State: PluginDegraded, For: 5 * minute,
		}),
		record("core.plugin-quarantined", "A plugin is in quarantine", true, Spec{
			Text: "Somebody closed its lanes and made its credentials void.", Severity: Warning, Channels: everywhere(), State: PluginQuarantined,
		}),
		record("core.denials-plugin", "A plugin is denied again and again", true, Spec{
			Text: "A plugin asks for what no rule lets it have: its manifest lacks something, or it is not what it seems.", Severity: Warning, Channels: everywhere(),
			Match: Match{Outcome: "deny", ActorKind: "plugin"}, Count: 20, Window: 5 * minute, By: ByActor,
		}),
		record("core.denials-person", "A person is denied again and again", true, Spec{
			Text: "Somebody asks for what their traits do not open.", Severity: Warning, Channels: everywhere(),
			Match: Match{Outcome: "deny", ActorKind: "user"}, Count: 20, Window: 5 * minute, By: ByActor,
		}),
		record("core.credentials", "Credentials are refused again and again", true, Spec{
			Text: "One address tries tokens, keys or sessions that are not good.", Severity: Warning, Channels: everywhere(),
			Match: Match{Action: "auth.denied", Outcome: "deny"}, Count: 20, Window: 5 * minute, By: ByAddress,
		}),
		record("core.sign-in-failed", "Sign-ins fail again and again", true, Spec{
			Text: "One address tries passwords. It is slowed down already.", Severity: Warning, Channels: everywhere(),
			Match: Match{Action: "auth.login", Outcome: "failed"}, Count: 10, Window: 10 * minute, By: ByAddress,
		}),
		record("core.break-glass", "An account for emergencies was used", true, Spec{
			Text: "Ask whoever opened it whether there was an emergency, and give it a new password.", Severity: Critical, Channels: everywhere(), Sticky: true,
			Match: Match{Action: "auth.break_glass", Outcome: "ok"}, Count: 1, Window: hour, By: ByActor,
		}),
		record("core.refresh-reuse", "A plugin's refresh token was used twice", true, Spec{
			Text: "Two parties hold one token; all tokens of that plugin were revoked. Find out who the other one is before it registers again.", Severity: Critical, Channels: everywhere(), Sticky: true,
			Match: Match{Action: "plugin.token.revoke"}, Count: 1, Window: hour, By: ByPlugin,
		}),
		record("core.chain-broken", "The audit does not verify", true, Spec{
			Text: "A verification found a record that is not as it was written. Verify again to see which, and keep the database as it is.", Severity: Critical, Channels: everywhere(), Sticky: true,
			Match: Match{Action: "audit.verify", Detail: map[string]string{"ok": "false"}}, Count: 1, Window: hour, Clear: &Match{Action: "audit.verify", Detail: map[string]string{"ok": "true"}},
		}),
		record("core.heads-failed", "Signed heads of the audit are not kept", true, Spec{
			Text: "A replica cannot write to its file of signed heads: what is recorded meanwhile is not sealed a second time.", Severity: Critical, Channels: everywhere(),
			Match: Match{Action: "audit.heads", Outcome: "failed"}, Count: 1, Window: hour, By: ByObject, Clear: &Match{Action: "audit.heads", Outcome: "ok"},
		}),
		record("core.purge-failed", "A purge of the audit failed", true, Spec{
			Text: "Records that are kept no longer could not be archived or taken away. It is tried again.", Severity: Warning, Channels: everywhere(),
			Match: Match{Action: "audit.purge", Outcome: "failed"}, Count: 1, Window: hour, By: ByObject,
		}),
		record("core.sink-failing", "The audit is not forwarded", true, Spec{
			Text: "A sink does not take records. Nothing is lost: it is sent what it missed once it is back.", Severity: Warning, Channels: everywhere(), State: SinkFailing, For: 5 * minute,
		}),
		record("core.sink-lag", "A sink of the audit lags", true, Spec{
			Text: "The oldest record that a sink does not have yet has waited longer than that.", Severity: Warning, Channels: everywhere(), State: SinkLag, For: 10 * minute,
		}),
		record("core.last-admin", "Only one administrator is left", false, Spec{
			Text: "If they cannot sign in, nobody can give anybody a role. Make somebody else an administrator, or make an account for emergencies.", Severity: Info, Channels: []Channel{Email}, State: LastAdmin,
		}),
		record("core.dead-letters", "Events became dead letters", true, Spec{
			Text: "A plugin did not take events in all its attempts. Replay them once it is well.", Severity: Warning, Channels: everywhere(),
			Match: Match{Action: "event.bury"}, Count: 1, Window: 15 * minute, By: ByPlugin,
		}),
		record("core.circuit-open", "Calls to a plugin are cut off", true, Spec{
			Text: "Most calls to it failed, so it is asked only now and then whether it is well.", Severity: Warning, Channels: everywhere(),
			Match: Match{Action: "operator.circuit", Detail: map[string]string{"to": "open"}}, Count: 1, Window: hour, By: ByPlugin,
			Clear: &Match{Action: "operator.circuit", Detail: map[string]string{"to": "closed"}},
		}),
		record("core.outcome-unknown", "An action ended nobody knows how", true, Spec{
			Text: "A replica ended in the middle of it. Whether the target did what it was asked is for its owner to say.", Severity: Warning, Channels: everywhere(),
			Match: Match{Outcome: "unknown"}, Count: 1, Window: hour, By: ByPlugin,
		}),
	}
}
