-- OutboxPut keeps an event until the bus takes it; 0 rows when the publisher's
-- event of that id waits already.
-- name: OutboxPut :execrows
INSERT INTO event_outbox (publisher, event_id, unsure, subject, header, sealed)
VALUES (@publisher, @event_id, @unsure, @subject, @header, @sealed)
ON CONFLICT (publisher, event_id) DO NOTHING;

-- OutboxPublishers counts what waits, by publisher.
-- name: OutboxPublishers :many
SELECT publisher, count(*) AS events FROM event_outbox GROUP BY publisher;

-- OutboxLock lets one replica at a time empty the outbox; false: another one does.
-- name: OutboxLock :one
SELECT pg_try_advisory_xact_lock(hashtext('event_outbox'));

-- OutboxNext returns the events that waited longest, in their order.
-- name: OutboxNext :many
SELECT * FROM event_outbox ORDER BY seq LIMIT @most;

-- OutboxTaken forgets an event that the bus has.
-- name: OutboxTaken :exec
DELETE FROM event_outbox WHERE seq = @seq;

-- DeadLetterPut notes a delivery that was given up, or given up again.
-- name: DeadLetterPut :one
INSERT INTO dead_letters (id, tenant_id, plugin_id, consumer, sequence, event_id, event_type, publisher, trace_id, classes, event_at, attempts, reason)
VALUES (@id, @tenant_id, @plugin_id, @consumer, @sequence, @event_id, @event_type, @publisher, @trace_id, @classes, @event_at, @attempts, @reason)
ON CONFLICT (consumer, sequence) DO UPDATE SET attempts = excluded.attempts, reason = excluded.reason, died_at = now(), state = 'waiting',
    settled_at = NULL, settled_by = '', settled_why = ''
RETURNING id;

-- DeadLetterList returns dead letters, the newest first, beginning after one of
-- them. An empty filter lets everything through.
-- name: DeadLetterList :many
SELECT * FROM dead_letters
WHERE tenant_id = @tenant_id AND (@plugin_id::text = '' OR plugin_id = @plugin_id) AND (@event_type::text = '' OR event_type = @event_type)
    AND (@event_id::text = '' OR event_id = @event_id) AND (@state::text = '' OR state = @state)
    AND (@search::text = '' OR strpos(lower(reason), lower(@search)) > 0)
    AND (sqlc.narg(before_at)::timestamptz IS NULL OR (died_at, id) < (sqlc.narg(before_at), @before_id::uuid))
ORDER BY died_at DESC, id DESC LIMIT @most;

-- DeadLetterGet returns one dead letter of a tenant.
-- name: DeadLetterGet :one
SELECT * FROM dead_letters WHERE id = @id AND tenant_id = @tenant_id;

-- DeadLetterSettle notes what somebody did about one that still waited; 0 rows when it did not.
-- name: DeadLetterSettle :execrows
UPDATE dead_letters SET state = @state, settled_at = now(), settled_by = @settled_by, settled_why = @settled_why
WHERE id = @id AND state = 'waiting';

-- DeadLetterCount counts those that wait, by plugin.
-- name: DeadLetterCount :many
SELECT plugin_id, count(*) AS letters FROM dead_letters WHERE tenant_id = @tenant_id AND state = 'waiting' GROUP BY plugin_id ORDER BY plugin_id;

-- DeadLetterTrim forgets dead letters older than their events are kept.
-- name: DeadLetterTrim :execrows
DELETE FROM dead_letters WHERE event_at < @before AND died_at < @before;
