-- +goose Up

-- What the proxy lane adds to requests of a plugin to a host, so that the plugin
-- never holds it. The secret is sealed under the master key.
CREATE TABLE egress_credentials (
    plugin_id text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    domain    text NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('header', 'query', 'basic', 'oauth2')),
    terms     jsonb NOT NULL,
    sealed    bytea NOT NULL,
    set_by    text NOT NULL,
    set_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plugin_id, domain)
);
COMMENT ON COLUMN egress_credentials.terms IS 'what is not secret: name of the header or parameter, user name, token address, client id, scopes';

-- +goose Down
DROP TABLE egress_credentials;
