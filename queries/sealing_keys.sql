-- SealingKeyList returns all keys that seal or sealed, the first ever made first.
-- name: SealingKeyList :many
SELECT * FROM sealing_keys ORDER BY seq;

-- SealingKeyAdd adds one. The newest whose seals_from is over seals.
-- name: SealingKeyAdd :exec
INSERT INTO sealing_keys (id, master, wrapped, seals_from)
VALUES (@id, @master, @wrapped, clock_timestamp() + make_interval(secs => sqlc.arg(wait_seconds)::float8));

-- SealingKeyWrap puts a key under another master key.
-- name: SealingKeyWrap :execrows
UPDATE sealing_keys SET master = @master, wrapped = @wrapped, wrapped_at = clock_timestamp() WHERE id = @id;
