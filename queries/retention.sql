-- HoldInsert places a hold; a unique violation when another in force has the name.
-- name: HoldInsert :one
INSERT INTO audit_holds (id, tenant_id, name, reason, plugin, actor, actor_ids, object, class, since, until, placed_by, placed_name, placed_at)
VALUES (@id, @tenant_id, @name, @reason, @plugin, @actor, @actor_ids, @object, @class, @since, @until, @placed_by, @placed_name, @placed_at)
RETURNING *;

-- HoldList returns a tenant's holds: those in force first, then the lifted ones, newest first.
-- name: HoldList :many
SELECT * FROM audit_holds WHERE tenant_id = @tenant_id ORDER BY lifted_at IS NOT NULL, placed_at DESC, id LIMIT 500;

-- HoldGet returns one hold.
-- name: HoldGet :one
SELECT * FROM audit_holds WHERE tenant_id = @tenant_id AND id = @id;

-- HoldCount returns how many holds of a tenant are in force.
-- name: HoldCount :one
SELECT count(*) FROM audit_holds WHERE tenant_id = @tenant_id AND lifted_at IS NULL;

-- HoldLift ends a hold that is in force.
-- name: HoldLift :one
UPDATE audit_holds SET lifted_by = @lifted_by, lifted_name = @lifted_name, lifted_at = @at::timestamptz, lift_reason = @reason
WHERE tenant_id = @tenant_id AND id = @id AND lifted_at IS NULL RETURNING *;

-- RetentionLock lets placing a hold and taking records away exclude each other until the
-- transaction ends. Its number is the bytes of "hip hold".
-- name: RetentionLock :exec
SELECT pg_advisory_xact_lock(7523667936992521316);

-- RetentionStay returns the first record after a place of a chain that must stay: it
-- is younger than the longest time that applies to it, or under a hold, whose name it tells.
-- name: RetentionStay :one
SELECT a.seq, a.at, held.name::text AS hold
FROM audit_log a CROSS JOIN LATERAL (SELECT COALESCE((
    SELECT h.name FROM audit_holds h WHERE h.lifted_at IS NULL AND h.tenant_id = a.tenant_id
        AND (h.plugin = '' OR a.plugin_id = h.plugin OR a.object_plugin = h.plugin OR h.plugin = ANY (a.receivers))
        AND (h.actor = '' OR h.actor IN (a.actor_id, a.on_behalf_id) OR a.actor_id = ANY (h.actor_ids) OR a.on_behalf_id = ANY (h.actor_ids)
            OR lower(h.actor) IN (lower(a.actor_name), lower(a.on_behalf_name)))
        AND (h.object = '' OR a.object = h.object OR (right(h.object, 1) = '*' AND starts_with(a.object, left(h.object, -1))))
        AND (h.class = '' OR h.class = ANY (a.classes))
        AND (h.since IS NULL OR a.at >= h.since) AND (h.until IS NULL OR a.at < h.until)
    ORDER BY h.placed_at LIMIT 1), '') AS name) held
WHERE a.chain = @chain AND a.seq > @after AND a.seq <= @upto AND (held.name <> '' OR a.at > LEAST(
    CASE WHEN 'phi' = ANY (a.classes) THEN @phi::timestamptz END,
    CASE WHEN 'pii' = ANY (a.classes) THEN @pii::timestamptz END,
    CASE WHEN 'confidential' = ANY (a.classes) THEN @confidential::timestamptz END,
    CASE WHEN a.chain = 'change' OR a.outcome = 'deny' OR a.action LIKE 'auth.%' THEN @security::timestamptz END,
    @other::timestamptz))
ORDER BY a.seq LIMIT 1;

-- RetentionPlace returns when a record was written, and its hash.
-- name: RetentionPlace :one
SELECT at, hash FROM audit_log WHERE chain = @chain AND seq = @seq;

-- RetentionMonthEnd returns the last record of a chain in a stretch that was written before a time.
-- name: RetentionMonthEnd :one
SELECT seq, at FROM audit_log WHERE chain = @chain AND seq >= @first AND seq <= @last AND at < @before ORDER BY seq DESC LIMIT 1;

-- RetentionDelete takes a stretch away. Only the purge role may.
-- name: RetentionDelete :execrows
DELETE FROM audit_log WHERE chain = @chain AND seq >= @first AND seq <= @last AND at >= @begins AND at <= @ends;

-- ArchiveInsert notes an archive that was read back and verified; one of the same
-- name was left by an attempt that did not come to its end.
-- name: ArchiveInsert :one
INSERT INTO audit_archives (id, chain, first, last, hash, begins, ends, place, name, bytes, sha256, verified_at)
VALUES (@id, @chain, @first, @last, @hash, @begins, @ends, @place, @name, @bytes, @sha256, @verified_at)
ON CONFLICT (name) DO UPDATE SET last = excluded.last, hash = excluded.hash, begins = excluded.begins, ends = excluded.ends, place = excluded.place,
    bytes = excluded.bytes, sha256 = excluded.sha256, verified_at = excluded.verified_at
WHERE audit_archives.purged_at IS NULL
RETURNING *;

-- ArchivePurged notes that what an archive holds is gone from the database.
-- name: ArchivePurged :execrows
UPDATE audit_archives SET purged_at = @at::timestamptz WHERE id = @id AND purged_at IS NULL;

-- ArchiveList returns archives, the newest first.
-- name: ArchiveList :many
SELECT * FROM audit_archives ORDER BY verified_at DESC, id DESC LIMIT 500;

-- ArchiveFirst returns when the first record of a chain was written, from the archive it
-- was purged to.
-- name: ArchiveFirst :one
SELECT begins FROM audit_archives WHERE chain = @chain AND first = 1 AND purged_at IS NOT NULL LIMIT 1;

-- ArchiveGet returns one archive.
-- name: ArchiveGet :one
SELECT * FROM audit_archives WHERE id = @id;

-- ArchiveTotals returns how many archives there are and what they hold.
-- name: ArchiveTotals :one
SELECT count(*) AS archives, COALESCE(sum(last - first + 1), 0)::bigint AS records, COALESCE(sum(bytes), 0)::bigint AS bytes FROM audit_archives WHERE purged_at IS NOT NULL;

-- MarkInsert adds where a chain begins.
-- name: MarkInsert :exec
INSERT INTO audit_marks (chain, last, hash, count, archive, sha256, at, kid, sig) VALUES (@chain, @last, @hash, @count, @archive, @sha256, @at, @kid, @sig);

-- MarkList returns where each purged chain begins.
-- name: MarkList :many
SELECT DISTINCT ON (chain) * FROM audit_marks ORDER BY chain, last DESC;

-- PurgeInsert remembers a purge.
-- name: PurgeInsert :exec
INSERT INTO audit_purges (id, began, ended, by_kind, by_name, records, archives, error) VALUES (@id, @began, @ended, @by_kind, @by_name, @records, @archives, @error);

-- PurgeLast returns the purge that was begun last.
-- name: PurgeLast :one
SELECT * FROM audit_purges ORDER BY began DESC LIMIT 1;

-- PurgeLastWhole returns when the last purge began that came to its end.
-- name: PurgeLastWhole :one
SELECT began FROM audit_purges WHERE error = '' ORDER BY began DESC LIMIT 1;
