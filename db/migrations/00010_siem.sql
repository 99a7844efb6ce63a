-- +goose Up

-- Where the audit is forwarded to, beside being kept here.
CREATE TABLE siem_sinks (
    id           uuid PRIMARY KEY,
    tenant_id    text NOT NULL DEFAULT 'default',
    name         text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('syslog', 'webhook', 'otlp')),
    address      text NOT NULL,
    ca           text NOT NULL DEFAULT '',
    certificate  text NOT NULL DEFAULT '',
    sealed       bytea,
    secret_at    timestamptz,
    enabled      boolean NOT NULL DEFAULT true,
    version      bigint NOT NULL DEFAULT 1,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    sent         bigint NOT NULL DEFAULT 0,
    rejected     bigint NOT NULL DEFAULT 0,
    missed       bigint NOT NULL DEFAULT 0,
    sent_at      timestamptz,
    failing      timestamptz,
    last_error   text NOT NULL DEFAULT '',
    UNIQUE (tenant_id, name)
);
COMMENT ON COLUMN siem_sinks.sealed IS 'key of the signature, bearer token, or private key of the certificate; NULL: none';
COMMENT ON COLUMN siem_sinks.version IS 'rises with every change of what is sent where; a change of a version seen is refused';
COMMENT ON COLUMN siem_sinks.missed IS 'records that were gone before they could be sent: a gap';
COMMENT ON COLUMN siem_sinks.failing IS 'since when nothing could be sent; NULL: the last attempt succeeded';

-- The last record of each chain that a sink has confirmed.
CREATE TABLE siem_places (
    sink  uuid NOT NULL REFERENCES siem_sinks ON DELETE CASCADE,
    chain text COLLATE "C" NOT NULL,
    seq   bigint NOT NULL,
    PRIMARY KEY (sink, chain)
);

-- +goose Down
DROP TABLE siem_places, siem_sinks;
