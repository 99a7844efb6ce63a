-- PolicyDraftGet returns the draft.
-- name: PolicyDraftGet :one
SELECT * FROM policy_draft;

-- PolicyDraftLock returns the draft and keeps others from editing or publishing until the transaction ends.
-- name: PolicyDraftLock :one
SELECT * FROM policy_draft FOR UPDATE;

-- PolicyDraftPut replaces the draft that its caller saw, and returns it.
-- name: PolicyDraftPut :one
UPDATE policy_draft SET text = @text, tests = @tests, revision = revision + 1, edited_by = @edited_by, edited_as = @edited_as, edited_at = clock_timestamp()
WHERE revision = @revision RETURNING *;

-- PolicyVersionNewest returns the number of the version in force, 0 when none was published.
-- name: PolicyVersionNewest :one
SELECT coalesce(max(number), 0)::bigint FROM policy_versions;

-- PolicyVersionGet returns one version.
-- name: PolicyVersionGet :one
SELECT * FROM policy_versions WHERE number = @number;

-- PolicyVersionList returns versions below a number, newest first.
-- name: PolicyVersionList :many
SELECT * FROM policy_versions WHERE number < @below ORDER BY number DESC LIMIT @most;

-- PolicyVersionInsert publishes a version, the next one after those that are there, and returns it.
-- name: PolicyVersionInsert :one
INSERT INTO policy_versions (number, text, tests, digest, comment, restored, author, author_name, approver, approver_name)
SELECT coalesce(max(number), 0) + 1, @text, @tests, @digest, @comment, sqlc.narg(restored)::bigint, @author, @author_name, @approver, @approver_name
FROM policy_versions RETURNING *;

-- PolicyRequestExpire ends the requests whose time is over, and returns them.
-- name: PolicyRequestExpire :many
UPDATE policy_requests SET state = 'expired', decided_at = clock_timestamp() WHERE state = 'waiting' AND expires_at <= now() RETURNING *;

-- PolicyRequestInsert asks for a second person.
-- name: PolicyRequestInsert :one
INSERT INTO policy_requests (id, text, tests, comment, restored, base, author, author_name, expires_at)
VALUES (@id, @text, @tests, @comment, sqlc.narg(restored)::bigint, @base, @author, @author_name, clock_timestamp() + sqlc.arg(seconds)::float8 * interval '1 second')
RETURNING *;

-- PolicyRequestWaiting returns the requests that wait.
-- name: PolicyRequestWaiting :many
SELECT * FROM policy_requests WHERE state = 'waiting' AND expires_at > now() ORDER BY asked_at;

-- PolicyRequestGet returns one request.
-- name: PolicyRequestGet :one
SELECT * FROM policy_requests WHERE id = @id;

-- PolicyRequestDecide ends a request that still waits.
-- name: PolicyRequestDecide :execrows
UPDATE policy_requests SET state = @state, decided_by = @decided_by, decided_name = @decided_name, decided_at = clock_timestamp(), reason = @reason
WHERE id = @id AND state = 'waiting' AND expires_at > now();

-- PolicyShadowInsert begins a replay.
-- name: PolicyShadowInsert :one
INSERT INTO policy_shadows (id, tenant_id, text, version, days, most, holder, until, started_by, started_as)
VALUES (@id, @tenant_id, @text, @version, @days, @most, @holder, clock_timestamp() + sqlc.arg(seconds)::float8 * interval '1 second', @started_by, @started_as)
RETURNING *;

-- PolicyShadowRunning counts the replays that run.
-- name: PolicyShadowRunning :one
SELECT count(*) FROM policy_shadows WHERE state = 'running' AND until > now();

-- PolicyShadowGet returns one replay.
-- name: PolicyShadowGet :one
SELECT * FROM policy_shadows WHERE id = @id AND tenant_id = @tenant_id;

-- PolicyShadowList returns the latest replays.
-- name: PolicyShadowList :many
SELECT * FROM policy_shadows WHERE tenant_id = @tenant_id ORDER BY started_at DESC LIMIT @most;

-- PolicyShadowAdvance notes how far a replay is and renews its lease; 0 rows: it was cancelled or taken for dead.
-- name: PolicyShadowAdvance :execrows
UPDATE policy_shadows SET reached = @reached, rows_read = @rows_read, replayed = @replayed, skipped = @skipped, flips = @flips, drifts = @drifts, groups = @groups,
    until = clock_timestamp() + sqlc.arg(seconds)::float8 * interval '1 second'
WHERE id = @id AND holder = @holder AND state = 'running';

-- PolicyShadowEnd ends a replay that runs.
-- name: PolicyShadowEnd :execrows
UPDATE policy_shadows SET state = @state, why = @why, ended_at = clock_timestamp() WHERE id = @id AND state = 'running';

-- PolicyShadowBury fails the replays whose replica died.
-- name: PolicyShadowBury :execrows
UPDATE policy_shadows SET state = 'failed', why = @why, ended_at = clock_timestamp() WHERE state = 'running' AND until < now();

-- PolicyShadowTrim forgets all but the latest replays.
-- name: PolicyShadowTrim :exec
DELETE FROM policy_shadows WHERE state <> 'running' AND id NOT IN (SELECT s.id FROM policy_shadows s ORDER BY s.started_at DESC LIMIT @most);

-- PolicyFlipInsert keeps some decisions that would come out otherwise.
-- name: PolicyFlipInsert :copyfrom
INSERT INTO policy_flips (shadow, seq, against, kind, was_rule, now_rule, action, caller, target, object, decision, at)
VALUES (@shadow, @seq, @against, @kind, @was_rule, @now_rule, @action, @caller, @target, @object, @decision, @at);

-- PolicyFlipList returns them one by one, newest decision first, after a place in the list.
-- name: PolicyFlipList :many
SELECT * FROM policy_flips WHERE shadow = @shadow AND against = @against AND seq > @after ORDER BY seq LIMIT @most;

-- PolicyCoverageAdd adds what one replica counted.
-- name: PolicyCoverageAdd :exec
INSERT INTO policy_coverage (rule, hour, matched, granted, denied, last_at)
SELECT unnest(sqlc.arg(rules)::text[]), @hour, unnest(sqlc.arg(matched)::bigint[]), unnest(sqlc.arg(granted)::bigint[]), unnest(sqlc.arg(denied)::bigint[]), @last_at
ON CONFLICT (rule, hour) DO UPDATE SET matched = policy_coverage.matched + excluded.matched, granted = policy_coverage.granted + excluded.granted,
    denied = policy_coverage.denied + excluded.denied, last_at = greatest(policy_coverage.last_at, excluded.last_at);

-- PolicyCoverageSince sums up what rules did since a time, and when they last did anything.
-- name: PolicyCoverageSince :many
SELECT rule, coalesce(sum(matched) FILTER (WHERE hour >= @since), 0)::bigint AS matched,
    coalesce(sum(granted) FILTER (WHERE hour >= @since), 0)::bigint AS granted,
    coalesce(sum(denied) FILTER (WHERE hour >= @since), 0)::bigint AS denied, max(last_at)::timestamptz AS last_at
FROM policy_coverage GROUP BY rule ORDER BY rule;

-- PolicyCoverageTrim forgets what is older than anybody asks for.
-- name: PolicyCoverageTrim :exec
DELETE FROM policy_coverage WHERE hour < @before;
