-- +goose Up

-- Rules that people added, and built-in ones as people changed them.
CREATE TABLE alert_rules (
    tenant_id    text NOT NULL DEFAULT 'default',
    id           text NOT NULL,
    name         text NOT NULL,
    spec         jsonb NOT NULL,
    enabled      boolean NOT NULL,
    version      bigint NOT NULL DEFAULT 1,
    changed_by   text NOT NULL,
    changed_name text NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX alert_rules_name ON alert_rules (tenant_id, lower(name));
COMMENT ON COLUMN alert_rules.version IS 'rises with every change; a change of a version seen is refused';

-- What rules found. Of one rule and key one alert is active at a time.
CREATE TABLE alerts (
    id            uuid PRIMARY KEY,
    tenant_id     text NOT NULL DEFAULT 'default',
    rule          text NOT NULL,
    rule_name     text NOT NULL,
    key           text NOT NULL,
    severity      text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title         text NOT NULL,
    text          text NOT NULL,
    plugin        text NOT NULL DEFAULT '',
    object        text NOT NULL DEFAULT '',
    channels      text[] NOT NULL,
    sticky        boolean NOT NULL,
    quiet_seconds bigint NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    count         bigint NOT NULL,
    opened_at     timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    ended_at      timestamptz,
    resolved_at   timestamptz,
    notified_at   timestamptz,
    acked_by      text NOT NULL DEFAULT '',
    acked_name    text NOT NULL DEFAULT '',
    acked_at      timestamptz,
    note          text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN alerts.key IS 'what it is about, within its rule; the empty key: the rule alone';
COMMENT ON COLUMN alerts.sticky IS 'it waits for a person even when its condition ended';
COMMENT ON COLUMN alerts.quiet_seconds IS 'how long nothing must happen for its condition to end; 0: the condition tells its end itself';
COMMENT ON COLUMN alerts.ended_at IS 'when the condition ended; NULL: it goes on';
COMMENT ON COLUMN alerts.notified_at IS 'when its channels were told; NULL: not yet, or silenced';
CREATE UNIQUE INDEX alerts_active ON alerts (tenant_id, rule, key) WHERE state <> 'resolved';
CREATE INDEX alerts_newest ON alerts (tenant_id, opened_at DESC, id DESC);
CREATE INDEX alerts_resolved ON alerts (resolved_at) WHERE state = 'resolved';

-- Records that an alert was raised for: the first ones.
CREATE TABLE alert_records (
    alert uuid NOT NULL REFERENCES alerts ON DELETE CASCADE,
    chain text COLLATE "C" NOT NULL,
    seq   bigint NOT NULL,
    PRIMARY KEY (alert, chain, seq)
);

-- How often a rule that counts was met lately, by what it is about.
CREATE TABLE alert_counts (
    tenant_id text NOT NULL DEFAULT 'default',
    rule      text NOT NULL,
    key       text NOT NULL,
    bucket    timestamptz NOT NULL,
    n         bigint NOT NULL,
    PRIMARY KEY (tenant_id, rule, key, bucket)
);
CREATE INDEX alert_counts_oldest ON alert_counts (bucket);

-- The last record of each chain that the rules were held against.
CREATE TABLE alert_places (
    tenant_id text NOT NULL DEFAULT 'default',
    chain     text COLLATE "C" NOT NULL,
    seq       bigint NOT NULL,
    PRIMARY KEY (tenant_id, chain)
);

-- Times in which a rule, or one alert of it, tells nobody.
CREATE TABLE alert_silences (
    id         uuid PRIMARY KEY,
    tenant_id  text NOT NULL DEFAULT 'default',
    rule       text NOT NULL,
    key        text,
    reason     text NOT NULL,
    begun_at   timestamptz NOT NULL,
    until      timestamptz NOT NULL CHECK (until > begun_at),
    begun_by   text NOT NULL,
    begun_name text NOT NULL,
    ended_at   timestamptz,
    ended_name text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN alert_silences.key IS 'NULL: every alert of the rule';
CREATE INDEX alert_silences_in_force ON alert_silences (tenant_id, rule) WHERE ended_at IS NULL;

-- What a channel is told, until it was.
CREATE TABLE alert_notices (
    id         uuid PRIMARY KEY,
    alert      uuid NOT NULL REFERENCES alerts ON DELETE CASCADE,
    channel    text NOT NULL CHECK (channel IN ('webhook', 'email')),
    event      text NOT NULL CHECK (event IN ('opened', 'resolved')),
    made_at    timestamptz NOT NULL,
    next_at    timestamptz NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    sent_at    timestamptz,
    given_up   boolean NOT NULL DEFAULT false,
    last_error text NOT NULL DEFAULT '',
    UNIQUE (alert, channel, event)
);
CREATE INDEX alert_notices_due ON alert_notices (next_at) WHERE sent_at IS NULL AND NOT given_up;

-- +goose Down
DROP TABLE alert_notices, alert_silences, alert_places, alert_counts, alert_records, alerts, alert_rules;
