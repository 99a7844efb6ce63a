-- +goose Up

-- The runs of plugins that the core starts itself: one row an instance.
CREATE TABLE plugin_runs (
    instance   text PRIMARY KEY,
    plugin_id  text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    runtime    text NOT NULL,
    replica    text NOT NULL,
    version    text NOT NULL,
    image      text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    cause      text NOT NULL DEFAULT '' CHECK (cause IN ('', 'stopped', 'replaced', 'failed', 'unhealthy', 'lost')),
    exit_code  integer,
    signal     text NOT NULL DEFAULT '',
    oom        boolean NOT NULL DEFAULT false,
    detail     text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN plugin_runs.exit_code IS 'NULL where a signal ended it, or where nobody saw its end';
CREATE INDEX plugin_runs_newest ON plugin_runs (plugin_id, started_at DESC);

-- On which replica such a plugin runs. It stays there, because its volume does.
CREATE TABLE plugin_places (
    plugin_id text PRIMARY KEY REFERENCES plugins ON DELETE CASCADE,
    replica   text NOT NULL,
    seen_at   timestamptz NOT NULL DEFAULT now()
);

-- Plugins that may run although the machine does not hold them to their limits.
CREATE TABLE plugin_waivers (
    plugin_id text PRIMARY KEY REFERENCES plugins ON DELETE CASCADE,
    reason    text NOT NULL,
    given_by  text NOT NULL,
    given_at  timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE plugin_waivers, plugin_places, plugin_runs;
