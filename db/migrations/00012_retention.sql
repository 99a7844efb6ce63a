-- +goose Up

-- Records that must not be purged. A hold that was lifted stays, as a memory of it.
CREATE TABLE audit_holds (
    id          uuid PRIMARY KEY,
    tenant_id   text NOT NULL DEFAULT 'default',
    name        text NOT NULL,
    reason      text NOT NULL,
    plugin      text NOT NULL DEFAULT '',
    actor       text NOT NULL DEFAULT '',
    actor_ids   text[] NOT NULL DEFAULT '{}',
    object      text NOT NULL DEFAULT '',
    class       text NOT NULL DEFAULT '',
    since       timestamptz,
    until       timestamptz,
    placed_by   text NOT NULL,
    placed_name text NOT NULL,
    placed_at   timestamptz NOT NULL,
    lifted_by   text NOT NULL DEFAULT '',
    lifted_name text NOT NULL DEFAULT '',
    lifted_at   timestamptz,
    lift_reason text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN audit_holds.actor_ids IS 'the ids that actor, a name or an e-mail address, stood for when the hold was placed';
CREATE UNIQUE INDEX audit_holds_name ON audit_holds (tenant_id, lower(name)) WHERE lifted_at IS NULL;

-- The files that records were written to before they were purged. One without a
-- mark was written and its records are still here.
CREATE TABLE audit_archives (
    id          uuid PRIMARY KEY,
    chain       text COLLATE "C" NOT NULL,
    first       bigint NOT NULL,
    last        bigint NOT NULL CHECK (last >= first),
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    begins      timestamptz NOT NULL,
    ends        timestamptz NOT NULL,
    place       text NOT NULL CHECK (place IN ('folder', 's3')),
    name        text NOT NULL UNIQUE,
    bytes       bigint NOT NULL,
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    verified_at timestamptz NOT NULL,
    purged_at   timestamptz
);
COMMENT ON COLUMN audit_archives.hash IS 'of the last record in it';
CREATE INDEX audit_archives_newest ON audit_archives (verified_at DESC, id DESC);

-- Where each chain begins since its beginning was purged: signed, and only added to.
CREATE TABLE audit_marks (
    chain   text COLLATE "C" NOT NULL,
    last    bigint NOT NULL,
    hash    bytea NOT NULL,
    count   bigint NOT NULL,
    archive text NOT NULL,
    sha256  bytea NOT NULL,
    at      timestamptz NOT NULL,
    kid     text NOT NULL,
    sig     bytea NOT NULL,
    PRIMARY KEY (chain, last)
);
COMMENT ON COLUMN audit_marks.last IS 'the last record that was purged; the chain begins after it';

-- When the purge last went through everything.
CREATE TABLE audit_purges (
    id       uuid PRIMARY KEY,
    began    timestamptz NOT NULL,
    ended    timestamptz NOT NULL,
    by_kind  text NOT NULL,
    by_name  text NOT NULL,
    records  bigint NOT NULL,
    archives bigint NOT NULL,
    error    text NOT NULL DEFAULT ''
);
CREATE INDEX audit_purges_newest ON audit_purges (began DESC);

-- +goose Down
DROP TABLE audit_purges, audit_marks, audit_archives, audit_holds;
