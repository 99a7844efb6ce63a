-- +goose Up

-- The keys under which everything secret here is sealed, each wrapped under the
-- master key. A new master key wraps these anew and touches nothing they sealed.
CREATE TABLE sealing_keys (
    id         bytea PRIMARY KEY CHECK (octet_length(id) = 8),
    seq        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    master     text NOT NULL,
    wrapped    bytea NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    seals_from timestamptz NOT NULL,
    wrapped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN sealing_keys.seq IS 'the first one is the root of everything derived: it stays for ever';
COMMENT ON COLUMN sealing_keys.master IS 'id of the master key that wraps it, or command';
COMMENT ON COLUMN sealing_keys.seals_from IS 'from then on the newest one seals: by then every replica has read it';

DELETE FROM settings WHERE scope = 'core' AND key = 'master_key_check';

-- +goose Down
DROP TABLE sealing_keys;
