-- AuditLockTimeout ends waits for locks in the rest of the transaction after so many milliseconds.
-- name: AuditLockTimeout :exec
SELECT set_config('lock_timeout', @milliseconds::text, true);

-- AuditChainLock locks the head of a chain until the transaction ends. It also
-- tells the name of the session, which is the replica's.
-- name: AuditChainLock :one
SELECT seq, hash, at, current_setting('application_name')::text AS replica FROM chain_heads WHERE chain = @chain FOR UPDATE;

-- AuditChainAdvance moves a locked head on by one row from seq.
-- name: AuditChainAdvance :execrows
UPDATE chain_heads SET seq = seq + 1, hash = @hash, at = @at WHERE chain = @chain AND seq = @seq;

-- AuditChainOpen makes a chain known.
-- name: AuditChainOpen :exec
INSERT INTO chain_heads (chain) VALUES (@chain) ON CONFLICT (chain) DO NOTHING;

-- AuditInsert adds a row.
-- name: AuditInsert :exec
INSERT INTO audit_log (id, call, chain, seq, at, tenant_id, actor_kind, actor_id, actor_name, on_behalf_id, on_behalf_name,
    credential, plugin_id, object_plugin, receivers, action, object, outcome, rule, classes, trace, address, replica,
    detail, before, after, prev_hash, hash)
VALUES (@id, @call, @chain, @seq, @at, @tenant_id, @actor_kind, @actor_id, @actor_name, @on_behalf_id, @on_behalf_name,
    @credential, @plugin_id, @object_plugin, @receivers, @action, @object, @outcome, @rule, @classes, @trace, @address, @replica,
    @detail, @before, @after, @prev_hash, @hash);

-- AuditHead returns the last row of a chain: the row itself where there is one,
-- else what was kept of it.
-- name: AuditHead :one
SELECT COALESCE(l.seq, h.seq)::bigint AS seq, COALESCE(l.hash, h.hash)::bytea AS hash, COALESCE(l.at, h.at)::timestamptz AS at
FROM chain_heads h LEFT JOIN LATERAL (
    SELECT a.seq, a.hash, a.at FROM audit_log a WHERE a.chain = h.chain ORDER BY a.seq DESC LIMIT 1
) l ON true
WHERE h.chain = @chain;

-- AuditHashes returns the hash of the row at a place: of more than one, if somebody put more there.
-- name: AuditHashes :many
SELECT hash FROM audit_log WHERE chain = @chain AND seq = @seq;

-- AuditHeads returns the last row of every chain: the row itself where there is
-- one, else what was kept of it.
-- name: AuditHeads :many
SELECT h.chain, COALESCE(l.seq, h.seq)::bigint AS seq, COALESCE(l.hash, h.hash)::bytea AS hash, COALESCE(l.at, h.at)::timestamptz AS at
FROM chain_heads h LEFT JOIN LATERAL (
    SELECT a.seq, a.hash, a.at FROM audit_log a WHERE a.chain = h.chain ORDER BY a.seq DESC LIMIT 1
) l ON true
ORDER BY h.chain;

-- AuditActorIDs returns the ids of the people of a tenant, and of the plugins, whose
-- name or e-mail address that is, whatever its case.
-- name: AuditActorIDs :many
SELECT u.id::text AS id FROM users u WHERE u.tenant_id = @tenant_id AND (lower(u.email) = lower(@name::text) OR lower(u.name) = lower(@name::text))
UNION
SELECT p.id FROM plugins p WHERE lower(p.name) = lower(@name::text);

-- AuditChains returns the name of every chain that has rows or a kept head, by
-- hopping from name to name along the primary key.
-- name: AuditChains :many
WITH RECURSIVE names (chain) AS (
    (SELECT a.chain FROM audit_log a ORDER BY a.chain LIMIT 1)
    UNION ALL
    SELECT (SELECT a.chain FROM audit_log a WHERE a.chain > names.chain ORDER BY a.chain LIMIT 1)
    FROM names WHERE names.chain IS NOT NULL
)
SELECT names.chain::text AS chain FROM names WHERE names.chain IS NOT NULL
UNION
SELECT h.chain FROM chain_heads h;

-- AuditKeptHeads returns the heads that are kept beside the rows.
-- name: AuditKeptHeads :many
SELECT chain, seq, hash FROM chain_heads WHERE seq > 0 ORDER BY chain;
