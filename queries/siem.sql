-- SIEMSinkInsert adds a sink; a unique violation when the name is taken.
-- name: SIEMSinkInsert :one
INSERT INTO siem_sinks (id, tenant_id, name, kind, address, ca, certificate, sealed, secret_at, enabled, created_by, created_at, updated_at)
VALUES (@id, @tenant_id, @name, @kind, @address, @ca, @certificate, @sealed, @secret_at, @enabled, @created_by, @at, @at)
RETURNING *;

-- SIEMSinkList returns a tenant's sinks by name.
-- name: SIEMSinkList :many
SELECT * FROM siem_sinks WHERE tenant_id = @tenant_id ORDER BY lower(name), id;

-- SIEMSinkAll returns every sink that is to be sent to.
-- name: SIEMSinkAll :many
SELECT * FROM siem_sinks WHERE enabled ORDER BY id;

-- SIEMSinkGet returns one sink.
-- name: SIEMSinkGet :one
SELECT * FROM siem_sinks WHERE tenant_id = @tenant_id AND id = @id;

-- SIEMSinkLock returns one sink and keeps others from changing it until the transaction ends.
-- name: SIEMSinkLock :one
SELECT * FROM siem_sinks WHERE tenant_id = @tenant_id AND id = @id FOR UPDATE;

-- SIEMSinkUpdate changes a locked sink. A changed address may work where the old one failed.
-- name: SIEMSinkUpdate :one
UPDATE siem_sinks SET name = @name, address = @address, ca = @ca, certificate = @certificate, sealed = @sealed, secret_at = @secret_at,
    enabled = @enabled, version = version + 1, updated_at = @at, failing = NULL, last_error = ''
WHERE id = @id RETURNING *;

-- SIEMSinkDelete removes a sink.
-- name: SIEMSinkDelete :one
DELETE FROM siem_sinks WHERE tenant_id = @tenant_id AND id = @id RETURNING *;

-- SIEMSinkSent notes that a sink confirmed records.
-- name: SIEMSinkSent :exec
UPDATE siem_sinks SET sent = sent + @sent, rejected = rejected + @rejected, missed = missed + @missed, sent_at = @at::timestamptz, failing = NULL, last_error = ''
WHERE id = @id;

-- SIEMSinkFailed notes why nothing could be sent, and since when.
-- name: SIEMSinkFailed :exec
UPDATE siem_sinks SET failing = COALESCE(failing, @at::timestamptz), last_error = @last_error WHERE id = @id;

-- SIEMPlaces returns how far a sink has come.
-- name: SIEMPlaces :many
SELECT chain, seq FROM siem_places WHERE sink = @sink;

-- SIEMPlacePut moves a sink on in one chain, never back.
-- name: SIEMPlacePut :exec
INSERT INTO siem_places (sink, chain, seq) VALUES (@sink, @chain, @seq)
ON CONFLICT (sink, chain) DO UPDATE SET seq = GREATEST(siem_places.seq, excluded.seq);
