-- PublisherKeyPut adds a key; nothing happens when it is there and in force.
-- name: PublisherKeyPut :execrows
INSERT INTO publisher_keys (id, tenant_id, name, pem, added_by, added_at) VALUES (@id, @tenant_id, @name, @pem, @added_by, @at)
ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, added_by = excluded.added_by, added_at = excluded.added_at, revoked_by = '', revoked_at = NULL, reason = ''
    WHERE publisher_keys.revoked_at IS NOT NULL;

-- PublisherKeyList returns a tenant's keys, those in force first.
-- name: PublisherKeyList :many
SELECT * FROM publisher_keys WHERE tenant_id = @tenant_id ORDER BY revoked_at IS NOT NULL, added_at, id;

-- PublisherKeyRevoke takes a key out of force.
-- name: PublisherKeyRevoke :one
UPDATE publisher_keys SET revoked_by = @revoked_by, revoked_at = @at::timestamptz, reason = @reason
WHERE tenant_id = @tenant_id AND id = @id AND revoked_at IS NULL RETURNING *;

-- ReleaseAdd keeps that a version of a plugin came into force, with the next number.
-- name: ReleaseAdd :one
INSERT INTO plugin_releases (plugin_id, number, version, digest, manifest, installed_by, installed_at)
SELECT sqlc.arg(plugin_id)::text, coalesce(max(r.number), 0) + 1, @version::text, @digest::text, @manifest::jsonb, @installed_by::text, @at::timestamptz
FROM plugin_releases r WHERE r.plugin_id = sqlc.arg(plugin_id)::text
RETURNING number;

-- ReleaseLeft keeps which settings a release had when another followed it.
-- name: ReleaseLeft :exec
UPDATE plugin_releases SET config = @config
WHERE plugin_releases.plugin_id = @plugin_id AND number = (SELECT max(r.number) FROM plugin_releases r WHERE r.plugin_id = @plugin_id);

-- ReleaseList returns a plugin's releases, the newest first.
-- name: ReleaseList :many
SELECT * FROM plugin_releases WHERE plugin_id = @plugin_id ORDER BY number DESC LIMIT @most;

-- ReleaseTrim forgets all but the newest releases of a plugin.
-- name: ReleaseTrim :exec
DELETE FROM plugin_releases r WHERE r.plugin_id = @plugin_id
    AND r.number <= (SELECT max(n.number) FROM plugin_releases n WHERE n.plugin_id = @plugin_id) - sqlc.arg(keep)::bigint;

-- ReleaseDigests returns the digests of every release that may come back.
-- name: ReleaseDigests :many
SELECT DISTINCT digest FROM plugin_releases;
