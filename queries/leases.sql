-- LeaseTake takes or renews a lease and returns 1 row when the holder has it.
-- name: LeaseTake :execrows
INSERT INTO leases (name, holder, until) VALUES (@name, @holder, now() + sqlc.arg(seconds)::float8 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE leases.holder = excluded.holder OR leases.until < now();

-- LeaseDrop gives a lease back before its time.
-- name: LeaseDrop :exec
DELETE FROM leases WHERE name = @name AND holder = @holder;
