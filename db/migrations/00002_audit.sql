-- +goose Up

-- The record of every decision and every change. Rows are only ever added, by
-- INSERT or COPY into this parent, each chained to the one before it in its
-- chain: hash = SHA-256(prev_hash || JCS of the other columns), as package
-- audit defines it. Text that is absent is '', never NULL.
CREATE TABLE audit_log (
    id             uuid NOT NULL,
    call           uuid,
    chain          text COLLATE "C" NOT NULL,
    seq            bigint NOT NULL CHECK (seq BETWEEN 1 AND 9007199254740991),
    at             timestamptz NOT NULL,
    tenant_id      text COLLATE "C" NOT NULL,
    actor_kind     text COLLATE "C" NOT NULL,
    actor_id       text COLLATE "C" NOT NULL,
    actor_name     text NOT NULL,
    on_behalf_id   text COLLATE "C" NOT NULL,
    on_behalf_name text NOT NULL,
    credential     text COLLATE "C" NOT NULL,
    plugin_id      text COLLATE "C" NOT NULL,
    object_plugin  text COLLATE "C" NOT NULL,
    receivers      text[],
    action         text COLLATE "C" NOT NULL,
    object         text COLLATE "C" NOT NULL,
    outcome        text COLLATE "C" NOT NULL CHECK (outcome IN ('allow', 'deny', 'ok', 'failed', 'unknown')),
    rule           text COLLATE "C" NOT NULL,
    classes        text[] NOT NULL,
    trace          text COLLATE "C" NOT NULL,
    address        text COLLATE "C" NOT NULL,
    replica        text COLLATE "C" NOT NULL,
    detail         jsonb NOT NULL,
    before         jsonb,
    after          jsonb,
    prev_hash      bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash           bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (chain, seq, at)
) PARTITION BY RANGE (at);
COMMENT ON COLUMN audit_log.call IS 'joins a decision and its outcome; NULL: there is no pair';
COMMENT ON COLUMN audit_log.credential IS 'how the actor proved itself: kind, colon, identifier; never the secret';
COMMENT ON COLUMN audit_log.plugin_id IS 'the acting plugin, else the plugin acted upon';
COMMENT ON COLUMN audit_log.object_plugin IS 'the plugin acted upon';
COMMENT ON COLUMN audit_log.receivers IS 'the plugins an event was decided for; NULL: not an event';

-- Every read filters by tenant and lists newest first. Each call makes two rows,
-- so an index that plain traffic can do without leaves it out.
CREATE INDEX audit_log_at ON audit_log (tenant_id, at, id);
CREATE INDEX audit_log_plugin ON audit_log (plugin_id, at) WHERE plugin_id <> '';
CREATE INDEX audit_log_object_plugin ON audit_log (object_plugin, at) WHERE object_plugin <> '' AND object_plugin <> plugin_id;
CREATE INDEX audit_log_receivers ON audit_log USING gin (receivers) WHERE receivers IS NOT NULL;
CREATE INDEX audit_log_actor ON audit_log (actor_id, at) WHERE actor_kind <> 'plugin'; -- a plugin that acts is plugin_id
CREATE INDEX audit_log_on_behalf ON audit_log (on_behalf_id, at) WHERE on_behalf_id <> '';
CREATE INDEX audit_log_action ON audit_log (action, at);
CREATE INDEX audit_log_trace ON audit_log USING hash (trace) WHERE trace <> '';
CREATE INDEX audit_log_trouble ON audit_log (tenant_id, at) WHERE outcome IN ('deny', 'failed', 'unknown');

-- The text search: what happened, to whom and by whom, cut into words where
-- names are joined, and the reasons of what was refused or changed. Rule, address
-- and classes are terms of their own too. The "ok" that ends an allowed action is left
-- out: its decision has it all. replace() costs a fiftieth of translate() or a
-- regular expression; package audit repeats this expression letter by letter.
CREATE INDEX audit_log_words ON audit_log USING gin ((array_to_tsvector(array_remove(string_to_array(
    replace(replace(replace(replace(replace(replace(lower((action || '/' || object || '/' || plugin_id || '/' || actor_name || '/' || on_behalf_name ||
    CASE WHEN outcome = 'deny' OR chain = 'change' THEN '/' || rule || '/' || translate(left(COALESCE(detail -> 'reasons', detail)::text,
    CASE WHEN octet_length(detail::text) = char_length(detail::text) THEN 2000 ELSE 500 END), '"{}[](),;\', '//////////') ELSE '' END) COLLATE "default"),
    '.', '/'), '-', '/'), '_', '/'), '@', '/'), ':', '/'), ' ', '/'), '/') || ARRAY['rule=' || rule, 'from=' || address] || classes, ''))))
    WITH (gin_pending_list_limit = 1024) WHERE outcome <> 'ok' OR call IS NULL OR chain = 'change';

-- The head of each chain. That of 'change' is locked and moved by the
-- transaction that makes the change. A lane chain has one writer, which knows
-- its head; its row here says that the chain exists.
CREATE TABLE chain_heads (
    chain text COLLATE "C" PRIMARY KEY,
    seq   bigint NOT NULL DEFAULT 0,
    hash  bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000',
    at    timestamptz NOT NULL DEFAULT '2000-01-01 00:00:00+00'
);
INSERT INTO chain_heads (chain) VALUES ('change');

-- The months from now on; later ones are made ahead of time by the core.
-- +goose StatementBegin
DO $$
DECLARE
    month timestamptz := date_trunc('month', (now() AT TIME ZONE 'UTC') - interval '1 day') AT TIME ZONE 'UTC';
    next  timestamptz;
BEGIN
    WHILE month <= now() + interval '3 months' LOOP
        next := ((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
        EXECUTE format('CREATE TABLE audit_log_%s PARTITION OF audit_log FOR VALUES FROM (%L) TO (%L)',
            to_char(month AT TIME ZONE 'UTC', 'YYYYMM'), month, next);
        month := next;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit_log, chain_heads;
