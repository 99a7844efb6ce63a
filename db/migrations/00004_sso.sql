-- +goose Up

-- Identity providers people sign in by (OpenID Connect).
CREATE TABLE sso_providers (
    id            text PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9-]{0,31}$'),
    tenant_id     text NOT NULL DEFAULT 'default',
    name          text NOT NULL,
    icon          text NOT NULL DEFAULT '',
    issuer        text NOT NULL,
    client_id     text NOT NULL,
    client_secret bytea NOT NULL DEFAULT '',
    secret_at     timestamptz,
    scopes        text[] NOT NULL,
    claims        jsonb NOT NULL,
    domains       text[] NOT NULL DEFAULT '{}',
    options       jsonb NOT NULL,
    rules         jsonb NOT NULL DEFAULT '[]',
    enabled       boolean NOT NULL DEFAULT true,
    version       bigint NOT NULL DEFAULT 1,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_by    text NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN sso_providers.client_secret IS 'sealed; empty: a public client, proved by PKCE alone';

-- Who is who at a provider: issuer and subject are the identity, never the address.
CREATE TABLE user_identities (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    provider     text NOT NULL REFERENCES sso_providers ON DELETE CASCADE,
    issuer       text NOT NULL,
    subject      text NOT NULL,
    email        text NOT NULL DEFAULT '',
    linked_by    text NOT NULL,
    linked_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    UNIQUE (issuer, subject)
);
CREATE INDEX user_identities_user ON user_identities (user_id);
ALTER TABLE users DROP COLUMN issuer, DROP COLUMN subject;

-- Sign-ins on their way: between the start here and the return from the provider.
CREATE TABLE sso_flows (
    state      bytea PRIMARY KEY,
    browser    bytea NOT NULL,
    provider   text NOT NULL REFERENCES sso_providers ON DELETE CASCADE,
    purpose    text NOT NULL CHECK (purpose IN ('login', 'test', 'link')),
    user_id    uuid REFERENCES users ON DELETE CASCADE,
    nonce      text NOT NULL,
    verifier   bytea NOT NULL,
    next       text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON COLUMN sso_flows.state IS 'hash of the state; the row is deleted by its first use';
COMMENT ON COLUMN sso_flows.browser IS 'hash of the cookie of the browser that started it';
CREATE INDEX sso_flows_expires ON sso_flows (expires_at);

-- Sessions that a provider started, so that it can end them.
CREATE TABLE sso_sessions (
    session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    provider   text NOT NULL REFERENCES sso_providers ON DELETE CASCADE,
    issuer     text NOT NULL,
    subject    text NOT NULL,
    sid        text NOT NULL DEFAULT '',
    id_token   bytea NOT NULL
);
COMMENT ON COLUMN sso_sessions.id_token IS 'sealed; the hint by which the provider ends its own session';
CREATE INDEX sso_sessions_subject ON sso_sessions (issuer, subject);
CREATE INDEX sso_sessions_sid ON sso_sessions (issuer, sid) WHERE sid <> '';

-- Logout tokens that were used, until they would be refused for their age.
CREATE TABLE sso_logout_tokens (
    issuer     text NOT NULL,
    jti        bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, jti)
);

-- Attempts, step by step, so that whoever set a provider up sees what to put right.
CREATE TABLE sso_attempts (
    id        uuid PRIMARY KEY,
    provider  text NOT NULL REFERENCES sso_providers ON DELETE CASCADE,
    purpose   text NOT NULL,
    at        timestamptz NOT NULL,
    address   text NOT NULL DEFAULT '',
    user_id   uuid REFERENCES users ON DELETE CASCADE,
    issuer    text NOT NULL DEFAULT '',
    subject   text NOT NULL DEFAULT '',
    account   text NOT NULL DEFAULT '',
    outcome   text NOT NULL CHECK (outcome IN ('ok', 'failed')),
    code      text NOT NULL DEFAULT '',
    sentence  text NOT NULL DEFAULT '',
    fix       text NOT NULL DEFAULT '',
    steps     jsonb NOT NULL,
    claims    bytea NOT NULL DEFAULT ''
);
COMMENT ON COLUMN sso_attempts.claims IS 'sealed; shown masked, and mapped again by the tester';
CREATE INDEX sso_attempts_provider ON sso_attempts (provider, id DESC);

-- +goose Down
ALTER TABLE users ADD COLUMN issuer text, ADD COLUMN subject text;
CREATE UNIQUE INDEX users_subject ON users (issuer, subject) WHERE issuer IS NOT NULL;
DROP TABLE sso_attempts, sso_logout_tokens, sso_sessions, sso_flows, user_identities, sso_providers;
