-- JobInsert adds a job that waits; a unique violation while another of the plugin is open.
-- name: JobInsert :one
INSERT INTO jobs (id, tenant_id, kind, plugin_id, params, state, stages, actor, created_at, updated_at)
VALUES (@id, @tenant_id, @kind, @plugin_id, @params, 'waiting', @stages, @actor, @at, @at)
RETURNING *;

-- JobGet returns one job.
-- name: JobGet :one
SELECT * FROM jobs WHERE tenant_id = @tenant_id AND id = @id;

-- JobLock returns one job and keeps others from changing it until the transaction ends.
-- name: JobLock :one
SELECT * FROM jobs WHERE tenant_id = @tenant_id AND id = @id FOR UPDATE;

-- JobList returns a tenant's jobs, newest first, from before the one with before_id.
-- name: JobList :many
SELECT j.* FROM jobs j
WHERE j.tenant_id = @tenant_id AND (@plugin_id::text = '' OR j.plugin_id = @plugin_id::text) AND (NOT @open_only::bool OR j.ended_at IS NULL)
    AND (sqlc.narg(before_id)::uuid IS NULL OR (j.created_at, j.id) < (SELECT b.created_at, b.id FROM jobs b WHERE b.id = sqlc.narg(before_id)::uuid))
ORDER BY j.created_at DESC, j.id DESC LIMIT @most;

-- JobTake leases the job that waited longest and that nobody works on.
-- name: JobTake :one
UPDATE jobs SET holder = @holder, leased_until = now() + make_interval(secs => @lease::float8), attempt = attempt + 1, updated_at = clock_timestamp(),
    state = CASE state WHEN 'waiting' THEN 'running' ELSE state END
WHERE id = (
    SELECT id FROM jobs WHERE ended_at IS NULL AND (leased_until IS NULL OR leased_until < now())
    ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING *;

-- JobRenew prolongs a lease that is still held, and says whether somebody wants the job to end.
-- name: JobRenew :one
UPDATE jobs SET leased_until = now() + make_interval(secs => @lease::float8) WHERE id = @id AND holder = @holder AND ended_at IS NULL RETURNING cancel_by;

-- JobNote keeps how far a job has come, while the lease is held.
-- name: JobNote :execrows
UPDATE jobs SET state = @state, stages = @stages, memo = @memo, done = @done, total = @total, code = @code, sentence = @sentence,
    updated_at = clock_timestamp(), ended_at = sqlc.narg(ended_at)
WHERE id = @id AND holder = @holder AND ended_at IS NULL;

-- JobProgress keeps how far a stage has come, while the lease is held.
-- name: JobProgress :exec
UPDATE jobs SET done = @done, total = @total, updated_at = clock_timestamp() WHERE id = @id AND holder = @holder AND ended_at IS NULL;

-- JobRelease gives a lease up, so that another replica goes on at once.
-- name: JobRelease :exec
UPDATE jobs SET leased_until = NULL, holder = '' WHERE id = @id AND holder = @holder AND ended_at IS NULL;

-- JobCancel notes who wants an open job to end.
-- name: JobCancel :execrows
UPDATE jobs SET cancel_by = @cancel_by, updated_at = clock_timestamp() WHERE id = @id AND ended_at IS NULL AND cancel_by = '';
