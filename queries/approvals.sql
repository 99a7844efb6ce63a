-- ApprovalInsert adds a request; 0 rows when the same one waits already.
-- name: ApprovalInsert :execrows
INSERT INTO approvals (id, tenant_id, kind, subject, object, terms, reason, decision_id, asked_by, asked_at, expires_at)
VALUES (@id, @tenant_id, @kind, @subject, @object, @terms, @reason, @decision_id, @asked_by, @at, @expires_at)
ON CONFLICT (tenant_id, kind, subject, object) WHERE state = 'waiting' DO NOTHING;

-- ApprovalAskerPut notes who asks; 0 rows when they did before.
-- name: ApprovalAskerPut :execrows
INSERT INTO approval_askers (approval, asked_by, reason, asked_at) VALUES (@approval, @asked_by, @reason, @at)
ON CONFLICT (approval, asked_by) DO NOTHING;

-- ApprovalAskerDrop takes back what one person asked; 0 rows when they did not.
-- name: ApprovalAskerDrop :execrows
DELETE FROM approval_askers WHERE approval = @approval AND asked_by = @asked_by;

-- ApprovalAskers returns who asked for some requests, the first first.
-- name: ApprovalAskers :many
SELECT * FROM approval_askers WHERE approval = ANY (@approvals::uuid[]) ORDER BY approval, asked_at, asked_by;

-- ApprovalGet returns a request.
-- name: ApprovalGet :one
SELECT * FROM approvals WHERE tenant_id = @tenant_id AND id = @id;

-- ApprovalLock returns a request and keeps others from deciding it until the transaction ends.
-- name: ApprovalLock :one
SELECT * FROM approvals WHERE tenant_id = @tenant_id AND id = @id FOR UPDATE;

-- ApprovalWaiting returns the waiting request for something, and keeps others from deciding it until the transaction ends.
-- name: ApprovalWaiting :one
SELECT * FROM approvals WHERE tenant_id = @tenant_id AND kind = @kind AND subject = @subject AND object = @object AND state = 'waiting' FOR UPDATE;

-- ApprovalOpen returns the waiting request for something.
-- name: ApprovalOpen :one
SELECT * FROM approvals WHERE tenant_id = @tenant_id AND kind = @kind AND subject = @subject AND object = @object AND state = 'waiting';

-- ApprovalDecide ends a request that waits still.
-- name: ApprovalDecide :execrows
UPDATE approvals SET state = @state, decided_by = @decided_by::text, decided_at = @at::timestamptz, decided_reason = @reason::text,
    decided_self = @decided_self, given_until = @given_until, terms = @terms
WHERE id = @id AND state = 'waiting';

-- ApprovalList returns a page of requests, newest first: of those kinds, or asked for by that person, in that state where one is named.
-- name: ApprovalList :many
SELECT * FROM approvals a
WHERE a.tenant_id = @tenant_id
    AND (a.kind = ANY (@kinds::text[]) OR a.kind = 'elevation' AND a.subject = @asker::text
        OR EXISTS (SELECT FROM approval_askers p WHERE p.approval = a.id AND p.asked_by = @asker))
    AND (@kind::text = '' OR a.kind = @kind)
    AND (@state::text = '' OR a.state = @state OR (@state = 'decided' AND a.state <> 'waiting'))
    AND (@subject::text = '' OR a.subject = @subject)
    AND (a.asked_at, a.id) < (@before_at::timestamptz, @before_id::uuid)
ORDER BY a.asked_at DESC, a.id DESC LIMIT @most;

-- ApprovalCounts counts what waits, by kind, without what that person asked for.
-- name: ApprovalCounts :many
SELECT a.kind, count(*) AS waiting FROM approvals a
WHERE a.tenant_id = @tenant_id AND a.state = 'waiting' AND a.expires_at > @at
    AND NOT EXISTS (SELECT FROM approval_askers p WHERE p.approval = a.id AND p.asked_by = @asker::text)
GROUP BY a.kind;

-- ApprovalOpenOf counts what waits of one person.
-- name: ApprovalOpenOf :one
SELECT count(*) FROM approvals a JOIN approval_askers p ON p.approval = a.id
WHERE a.tenant_id = @tenant_id AND a.state = 'waiting' AND p.asked_by = @asker;

-- ApprovalLatest returns the newest request of each thing of some kinds.
-- name: ApprovalLatest :many
SELECT DISTINCT ON (kind, subject, object) * FROM approvals
WHERE tenant_id = @tenant_id AND kind = ANY (@kinds::text[])
ORDER BY kind, subject, object, asked_at DESC, id DESC;

-- ApprovalRunOut returns requests that wait though their time is over.
-- name: ApprovalRunOut :many
SELECT * FROM approvals WHERE state = 'waiting' AND expires_at <= @at ORDER BY expires_at LIMIT @most;

-- GrantExpire takes the grants away whose time is over.
-- name: GrantExpire :many
DELETE FROM grants WHERE expires_at <= @at::timestamptz RETURNING *;

-- EgressExpire notes that the time of approvals is over, once.
-- name: EgressExpire :many
UPDATE egress_approvals SET ended_at = @at::timestamptz WHERE expires_at <= @at AND ended_at IS NULL RETURNING *;

-- EgressObservedOf returns what one plugin asked for, or every plugin for "", newest first.
-- name: EgressObservedOf :many
SELECT * FROM egress_observed WHERE @plugin::text = '' OR plugin_id = @plugin ORDER BY last_seen DESC, plugin_id, domain LIMIT @most;
