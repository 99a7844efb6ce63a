-- +goose Up

-- Work that takes longer than a request: each goes through its stages, and is
-- taken up again where it stood when the core that did it is gone.
CREATE TABLE jobs (
    id           uuid PRIMARY KEY,
    tenant_id    text NOT NULL DEFAULT 'default',
    kind         text NOT NULL,
    plugin_id    text NOT NULL,
    params       jsonb NOT NULL,
    memo         jsonb NOT NULL DEFAULT '{}',
    state        text NOT NULL CHECK (state IN ('waiting', 'running', 'undoing', 'succeeded', 'failed', 'cancelled')),
    stages       jsonb NOT NULL,
    done         bigint NOT NULL DEFAULT 0,
    total        bigint NOT NULL DEFAULT 0,
    cancel_by    text NOT NULL DEFAULT '',
    code         text NOT NULL DEFAULT '',
    sentence     text NOT NULL DEFAULT '',
    attempt      int NOT NULL DEFAULT 0,
    actor        jsonb NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    holder       text NOT NULL DEFAULT '',
    leased_until timestamptz
);
COMMENT ON COLUMN jobs.memo IS 'what a stage found out and a later one, or a later attempt, needs; never secrets';
COMMENT ON COLUMN jobs.done IS 'of the stage under way, in the unit of total: bytes';
COMMENT ON COLUMN jobs.actor IS 'who started it, and in whose name it acts';
CREATE UNIQUE INDEX jobs_open ON jobs (plugin_id) WHERE ended_at IS NULL;
CREATE INDEX jobs_newest ON jobs (tenant_id, created_at DESC, id DESC);
CREATE INDEX jobs_due ON jobs (created_at) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE jobs;
