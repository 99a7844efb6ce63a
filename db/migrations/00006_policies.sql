-- +goose Up

-- The administrators' rules. One draft is edited; what is published is kept,
-- word by word, and never changed: its table takes no UPDATE and no DELETE.
CREATE TABLE policy_draft (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    text      text NOT NULL DEFAULT '',
    tests     jsonb NOT NULL DEFAULT '[]',
    revision  bigint NOT NULL DEFAULT 1,
    edited_by text NOT NULL DEFAULT '',
    edited_as text NOT NULL DEFAULT '',
    edited_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN policy_draft.revision IS 'counts every edit; an edit names the one its author saw';
COMMENT ON COLUMN policy_draft.edited_as IS 'the name of the editor at that time';
INSERT INTO policy_draft DEFAULT VALUES;

CREATE TABLE policy_versions (
    number        bigint PRIMARY KEY CHECK (number > 0),
    text          text NOT NULL,
    tests         jsonb NOT NULL,
    digest        bytea NOT NULL CHECK (octet_length(digest) = 32),
    comment       text NOT NULL,
    restored      bigint,
    author        text NOT NULL,
    author_name   text NOT NULL,
    approver      text NOT NULL DEFAULT '',
    approver_name text NOT NULL DEFAULT '',
    published_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN policy_versions.digest IS 'SHA-256 of text and tests';
COMMENT ON COLUMN policy_versions.restored IS 'the version whose text this one brought back';
COMMENT ON COLUMN policy_versions.approver IS 'the second person, where two publish';

-- Publications that wait for a second person.
CREATE TABLE policy_requests (
    id           uuid PRIMARY KEY,
    text         text NOT NULL,
    tests        jsonb NOT NULL,
    comment      text NOT NULL,
    restored     bigint,
    base         bigint NOT NULL,
    author       text NOT NULL,
    author_name  text NOT NULL,
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'approved', 'denied', 'withdrawn', 'expired')),
    decided_by   text NOT NULL DEFAULT '',
    decided_name text NOT NULL DEFAULT '',
    decided_at   timestamptz,
    reason       text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN policy_requests.base IS 'the version in force when it was asked for: approving it replaces that one and no other';
CREATE UNIQUE INDEX policy_requests_waiting ON policy_requests ((true)) WHERE state = 'waiting';

-- Replays of recorded decisions under a draft. The replica that runs one renews
-- its lease; one whose lease is over has died.
CREATE TABLE policy_shadows (
    id              uuid PRIMARY KEY,
    tenant_id       text NOT NULL,
    text            text NOT NULL,
    version         bigint NOT NULL,
    days            integer NOT NULL CHECK (days BETWEEN 1 AND 90),
    most            integer NOT NULL CHECK (most > 0),
    state           text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'cancelled', 'failed')),
    why             text NOT NULL DEFAULT '',
    holder          text NOT NULL,
    until           timestamptz NOT NULL,
    started_by      text NOT NULL,
    started_as      text NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at        timestamptz,
    reached         timestamptz,
    rows_read       bigint NOT NULL DEFAULT 0,
    replayed        bigint NOT NULL DEFAULT 0,
    skipped         bigint NOT NULL DEFAULT 0,
    flips           bigint NOT NULL DEFAULT 0,
    drifts          bigint NOT NULL DEFAULT 0,
    groups          jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON COLUMN policy_shadows.version IS 'the published version the draft is compared with; 0: none';
COMMENT ON COLUMN policy_shadows.reached IS 'the time of the oldest decision replayed so far';
COMMENT ON COLUMN policy_shadows.skipped IS 'records without the facts a decision is made from';
COMMENT ON COLUMN policy_shadows.flips IS 'decisions that the draft would change';
COMMENT ON COLUMN policy_shadows.groups IS 'flips and drifts, counted by who, what and which rule; all of them, while policy_flips keeps the first ones';
COMMENT ON COLUMN policy_shadows.drifts IS 'decisions that the policy in force would already make otherwise than was recorded';
CREATE INDEX policy_shadows_started ON policy_shadows (started_at DESC);

CREATE TABLE policy_flips (
    shadow   uuid NOT NULL REFERENCES policy_shadows ON DELETE CASCADE,
    seq      bigint NOT NULL,
    against  text NOT NULL CHECK (against IN ('published', 'recorded')),
    kind     text NOT NULL CHECK (kind IN ('denied', 'allowed', 'rule')),
    was_rule text NOT NULL,
    now_rule text NOT NULL,
    action   text NOT NULL,
    caller   text NOT NULL,
    target   text NOT NULL,
    object   text NOT NULL,
    decision uuid NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (shadow, seq)
);
COMMENT ON COLUMN policy_flips.kind IS 'denied: was allowed; allowed: was denied; rule: denied or redacted by another rule';

-- How often each rule applied, by the hour: the last 24 hours can begin at any.
CREATE TABLE policy_coverage (
    rule     text NOT NULL,
    hour     timestamptz NOT NULL,
    matched  bigint NOT NULL,
    granted  bigint NOT NULL,
    denied   bigint NOT NULL,
    last_at  timestamptz NOT NULL,
    PRIMARY KEY (rule, hour)
);
COMMENT ON COLUMN policy_coverage.granted IS 'times it let pass what nothing else would have';
CREATE INDEX policy_coverage_hour ON policy_coverage (hour);

-- +goose Down
DROP TABLE policy_coverage, policy_flips, policy_shadows, policy_requests, policy_versions, policy_draft;
