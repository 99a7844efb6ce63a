-- +goose Up

-- Events that were accepted while the bus did not answer. They go to the bus in
-- the order of seq, and leave this table once it has them.
CREATE TABLE event_outbox (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    publisher text NOT NULL,
    event_id  text NOT NULL,
    unsure    boolean NOT NULL,
    subject   text NOT NULL,
    header    jsonb NOT NULL,
    sealed    bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (publisher, event_id)
);
COMMENT ON COLUMN event_outbox.unsure IS 'the bus was asked first and did not answer: it may have the event';
COMMENT ON COLUMN event_outbox.sealed IS 'the data, sealed under the master key';

-- Deliveries that were given up. The event itself stays on the bus, at sequence.
CREATE TABLE dead_letters (
    id          uuid PRIMARY KEY,
    tenant_id   text NOT NULL,
    plugin_id   text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    consumer    text NOT NULL,
    sequence    bigint NOT NULL,
    event_id    text NOT NULL,
    event_type  text NOT NULL,
    publisher   text NOT NULL,
    trace_id    text NOT NULL,
    classes     text[] NOT NULL,
    event_at    timestamptz NOT NULL,
    attempts    integer NOT NULL,
    reason      text NOT NULL,
    died_at     timestamptz NOT NULL DEFAULT now(),
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'replayed', 'discarded')),
    settled_at  timestamptz,
    settled_by  text NOT NULL DEFAULT '',
    settled_why text NOT NULL DEFAULT '',
    UNIQUE (consumer, sequence)
);
CREATE INDEX dead_letters_newest ON dead_letters (tenant_id, died_at DESC, id DESC);
CREATE INDEX dead_letters_plugin ON dead_letters (plugin_id, state);
COMMENT ON COLUMN dead_letters.consumer IS 'the durable consumer that gave up: a plugin may have several';

-- +goose Down
DROP TABLE dead_letters, event_outbox;
