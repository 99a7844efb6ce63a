-- +goose Up

-- What waits for somebody's word, and what the word was.
CREATE TABLE approvals (
    id             uuid PRIMARY KEY,
    tenant_id      text NOT NULL DEFAULT 'default',
    kind           text NOT NULL CHECK (kind IN ('egress', 'widening', 'elevation', 'grant', 'policy')),
    subject        text NOT NULL,
    object         text NOT NULL,
    terms          jsonb NOT NULL DEFAULT '{}',
    reason         text NOT NULL,
    decision_id    uuid,
    asked_by       text NOT NULL,
    asked_at       timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    state          text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'approved', 'denied', 'withdrawn', 'expired')),
    decided_by     text,
    decided_at     timestamptz,
    decided_reason text,
    decided_self   boolean NOT NULL DEFAULT false,
    given_until    timestamptz,
    CHECK ((state = 'waiting') = (decided_at IS NULL))
);
COMMENT ON COLUMN approvals.subject IS 'who is to get it: a plugin or a person; of a policy: the draft';
COMMENT ON COLUMN approvals.object IS 'what of: a host, the digest of a manifest, traits, a plugin to be called, a version';
COMMENT ON COLUMN approvals.decided_self IS 'the last administrator decided a request of their own';
COMMENT ON COLUMN approvals.given_until IS 'when what was given ends; NULL: no end, or nothing was given';
CREATE UNIQUE INDEX approvals_waiting ON approvals (tenant_id, kind, subject, object) WHERE state = 'waiting';
CREATE INDEX approvals_newest ON approvals (tenant_id, asked_at DESC, id DESC);
CREATE INDEX approvals_key ON approvals (tenant_id, kind, subject, object, asked_at DESC);

-- Everybody who asked for the same thing: none of them decides it.
CREATE TABLE approval_askers (
    approval uuid NOT NULL REFERENCES approvals ON DELETE CASCADE,
    asked_by text NOT NULL,
    reason   text NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (approval, asked_by)
);
CREATE INDEX approval_askers_person ON approval_askers (asked_by, asked_at DESC);

-- An expired approval of egress stays, so that a refusal can say that it expired.
ALTER TABLE egress_approvals ADD COLUMN ended_at timestamptz;
COMMENT ON COLUMN egress_approvals.ended_at IS 'when its expiry was recorded';

-- +goose Down
ALTER TABLE egress_approvals DROP COLUMN ended_at;
DROP TABLE approval_askers, approvals;
