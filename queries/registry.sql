-- RegistryRevision returns a number that rises with every change that is
-- recorded, those of the registry among them.
-- name: RegistryRevision :one
SELECT COALESCE(max(seq), 0)::bigint FROM chain_heads WHERE chain = 'change';

-- PluginLockIDs lets one registration at a time look which ids are taken.
-- name: PluginLockIDs :exec
SELECT pg_advisory_xact_lock(hashtext('plugins.id'));

-- PluginList returns every plugin, by id.
-- name: PluginList :many
SELECT * FROM plugins ORDER BY id;

-- PluginGet returns one plugin.
-- name: PluginGet :one
SELECT * FROM plugins WHERE id = @id;

-- PluginLock returns one plugin and keeps others from changing it until the transaction ends.
-- name: PluginLock :one
SELECT * FROM plugins WHERE id = @id FOR UPDATE;

-- PluginInsert registers a new plugin; 0 rows when the id is taken.
-- name: PluginInsert :execrows
INSERT INTO plugins (id, tenant_id, kind, name, version, manifest, address, registered_from, state)
VALUES (@id, @tenant_id, @kind, @name, @version, @manifest, @address, @registered_from, 'registered')
ON CONFLICT (id) DO NOTHING;

-- PluginKin returns a plugin of whose id this one is the beginning up to a dot, or
-- the other way round.
-- name: PluginKin :one
SELECT id FROM plugins WHERE id <> @id AND (starts_with(id, @id::text || '.') OR starts_with(@id::text, id || '.')) ORDER BY id LIMIT 1;

-- PluginSetState moves a plugin only from the state its caller saw.
-- name: PluginSetState :execrows
UPDATE plugins SET state = @to_state, state_reason = @reason, updated_at = now(),
    enabled_at = CASE WHEN @to_state::text = 'active' AND state <> 'unhealthy' THEN now() ELSE enabled_at END
WHERE id = @id AND state = @from_state;

-- PluginSetManifest puts a manifest in force.
-- name: PluginSetManifest :exec
UPDATE plugins SET manifest = @manifest, pending_manifest = NULL, name = @name, version = @version, updated_at = now() WHERE id = @id;

-- PluginSetPending keeps a wider manifest until an administrator accepts it; NULL forgets it.
-- name: PluginSetPending :exec
UPDATE plugins SET pending_manifest = @manifest, updated_at = now() WHERE id = @id;

-- PluginSetAddress notes where a plugin that came back is reached.
-- name: PluginSetAddress :exec
UPDATE plugins SET address = @address, registered_from = @registered_from, updated_at = now() WHERE id = @id;

-- PluginAccept notes which traits an administrator accepted.
-- name: PluginAccept :exec
UPDATE plugins SET accepted_traits = @traits, updated_at = now() WHERE id = @id;

-- PluginRevoke raises the generation, which ends every token issued before.
-- name: PluginRevoke :exec
UPDATE plugins SET generation = generation + 1, updated_at = now() WHERE id = @id;

-- PluginBeat notes a heartbeat.
-- name: PluginBeat :exec
UPDATE plugins SET last_heartbeat = now() WHERE id = @id;

-- PluginSetHealth notes the result of a check.
-- name: PluginSetHealth :exec
UPDATE plugins SET health = @health, health_detail = @detail, health_failures = @failures, health_at = now() WHERE id = @id;

-- PluginForgetHealth makes a plugin's health unknown, as before its first check.
-- name: PluginForgetHealth :exec
UPDATE plugins SET health = 'unknown', health_detail = '', health_failures = 0, health_at = NULL WHERE id = @id;

-- PluginDelete forgets a plugin and, by cascade, its tokens, grants, approvals and health.
-- name: PluginDelete :execrows
DELETE FROM plugins WHERE id = @id AND state = @from_state;

-- PluginHealthAdd keeps one health sample.
-- name: PluginHealthAdd :exec
INSERT INTO plugin_health (plugin_id, at, health, detail, latency_us, metrics)
VALUES (@plugin_id, @at, @health, @detail, @latency_us, @metrics) ON CONFLICT DO NOTHING;

-- PluginHealthSince returns the samples of one plugin, oldest first.
-- name: PluginHealthSince :many
SELECT * FROM plugin_health WHERE plugin_id = @plugin_id AND at >= @since ORDER BY at;

-- PluginHealthTrim drops samples older than a time.
-- name: PluginHealthTrim :execrows
DELETE FROM plugin_health WHERE at < @before;

-- GrantList returns the operator grants that have not expired.
-- name: GrantList :many
SELECT * FROM grants WHERE expires_at IS NULL OR expires_at > now() ORDER BY caller, target, source;

-- GrantPut gives or renews a grant.
-- name: GrantPut :one
INSERT INTO grants (id, caller, target, operations, source, reason, granted_by, expires_at)
VALUES (@id, @caller, @target, @operations, @source, @reason, @granted_by, @expires_at)
ON CONFLICT (caller, target, source) DO UPDATE SET operations = excluded.operations, reason = excluded.reason,
    granted_by = excluded.granted_by, granted_at = now(), expires_at = excluded.expires_at
RETURNING *;

-- GrantDelete takes a grant away.
-- name: GrantDelete :one
DELETE FROM grants WHERE id = @id RETURNING *;

-- GrantsOfDependencies returns the grants a plugin got from its dependencies, and keeps others from them until the transaction ends.
-- name: GrantsOfDependencies :many
SELECT * FROM grants WHERE caller = @caller AND source = 'dependency' ORDER BY target FOR UPDATE;

-- GrantDropDependencies forgets the grants a plugin got from its dependencies.
-- name: GrantDropDependencies :exec
DELETE FROM grants WHERE caller = @caller AND source = 'dependency';

-- EgressList returns every approval, expired ones too: a refusal says that one expired.
-- name: EgressList :many
SELECT * FROM egress_approvals ORDER BY plugin_id, domain;

-- EgressPut approves a domain for a plugin, or changes the approval.
-- name: EgressPut :one
INSERT INTO egress_approvals (id, plugin_id, domain, methods, path_prefixes, ports, rate, bytes, reason, source, approved_by, expires_at)
VALUES (@id, @plugin_id, @domain, @methods, @path_prefixes, @ports, @rate, @bytes, @reason, @source, @approved_by, @expires_at)
ON CONFLICT (plugin_id, domain) DO UPDATE SET methods = excluded.methods, path_prefixes = excluded.path_prefixes, ports = excluded.ports,
    rate = excluded.rate, bytes = excluded.bytes, reason = excluded.reason, source = excluded.source,
    approved_by = excluded.approved_by, approved_at = now(), expires_at = excluded.expires_at, ended_at = NULL
RETURNING *;

-- EgressDelete withdraws an approval.
-- name: EgressDelete :one
DELETE FROM egress_approvals WHERE id = @id RETURNING *;

-- EgressObserve counts a domain a plugin asked for.
-- name: EgressObserve :exec
INSERT INTO egress_observed (plugin_id, domain, last_rule) VALUES (@plugin_id, @domain, @rule)
ON CONFLICT (plugin_id, domain) DO UPDATE SET last_seen = now(), requests = egress_observed.requests + 1, last_rule = excluded.last_rule;

-- EgressObserved returns the domains plugins asked for, newest first.
-- name: EgressObserved :many
SELECT * FROM egress_observed ORDER BY last_seen DESC LIMIT @most;

-- CustomTraitList returns the traits administrators added, in the order of their registration.
-- name: CustomTraitList :many
SELECT * FROM custom_traits ORDER BY ordinal;

-- CustomTraitLock lets one trait be added at a time.
-- name: CustomTraitLock :exec
SELECT pg_advisory_xact_lock(hashtext('custom_traits'));

-- CustomTraitInsert adds a trait.
-- name: CustomTraitInsert :exec
INSERT INTO custom_traits (name, label, icon, description, prerequisites, conflicts, assignable, sensitive, created_by)
VALUES (@name, @label, @icon, @description, @prerequisites, @conflicts, @assignable, @sensitive, @created_by);
