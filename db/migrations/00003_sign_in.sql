-- +goose Up

-- How a session began, and when its owner last proved that it is still them.
ALTER TABLE sessions
    ADD COLUMN method    text NOT NULL DEFAULT 'password' CHECK (method IN ('password', 'passkey', 'oidc', 'break_glass')),
    ADD COLUMN factor    text NOT NULL DEFAULT '' CHECK (factor IN ('', 'totp', 'passkey', 'recovery_code', 'provider')),
    ADD COLUMN proved_at timestamptz NOT NULL DEFAULT now();
UPDATE sessions SET proved_at = created_at;
COMMENT ON COLUMN sessions.factor IS 'the second factor shown in this session; empty: none';
COMMENT ON COLUMN sessions.proved_at IS 'the last sign-in or step-up; dangerous actions want a recent one';

ALTER TABLE users ADD COLUMN factor_due_at timestamptz;
COMMENT ON COLUMN users.factor_due_at IS 'from then on a session without the second factor that is required of this person can only set one up; NULL: none was required yet';

-- One authenticator app a person. Secrets are sealed under the master key.
CREATE TABLE totp (
    user_id      uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sealed       bytea NOT NULL DEFAULT '',
    confirmed_at timestamptz,
    last_step    bigint NOT NULL DEFAULT 0,
    pending      bytea NOT NULL DEFAULT '',
    pending_at   timestamptz
);
COMMENT ON COLUMN totp.last_step IS 'the 30 s step of the last code taken; only a later one is taken next';
COMMENT ON COLUMN totp.pending IS 'a secret that was shown and not confirmed yet; the one in force stays until it is';

CREATE TABLE passkeys (
    id           bytea PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name         text NOT NULL,
    sealed       bytea NOT NULL,
    sign_count   bigint NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
CREATE INDEX passkeys_user ON passkeys (user_id);
COMMENT ON COLUMN passkeys.id IS 'the credential id its authenticator chose';
COMMENT ON COLUMN passkeys.sealed IS 'its record, sealed under the master key: whoever can write here cannot add one';
COMMENT ON COLUMN passkeys.sign_count IS 'the counter it showed last; one that does not rise, where it counts at all, tells of a copy';

-- Codes for the day the authenticator is lost, as keyed digests.
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    digest  text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    PRIMARY KEY (user_id, digest)
);

-- What waits for the next step of a ceremony: a password that matched waits for
-- the second factor, a challenge for its answer. Taking one removes it.
CREATE TABLE sign_in_steps (
    key        bytea PRIMARY KEY,
    purpose    text NOT NULL,
    user_id    uuid REFERENCES users ON DELETE CASCADE,
    data       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON COLUMN sign_in_steps.key IS 'SHA-256 of the secret in the browser''s cookie, or of the session and purpose it belongs to';

-- Where accounts were signed in to, by keyed digest of both: guesses made from
-- elsewhere do not keep somebody out who comes from there.
CREATE TABLE sign_in_origins (
    key     bytea PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

-- Accounts for an emergency, and every use of one.
CREATE TABLE break_glass (
    user_id    uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    made_by    text NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    sealed_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON COLUMN break_glass.sealed_at IS 'when its password was made, to be put under seal';

CREATE TABLE break_glass_uses (
    session_id        uuid PRIMARY KEY,
    user_id           uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    reason            text NOT NULL,
    address           text NOT NULL,
    at                timestamptz NOT NULL DEFAULT now(),
    acknowledged_by   text NOT NULL DEFAULT '',
    acknowledged_name text NOT NULL DEFAULT '',
    acknowledged_at   timestamptz
);
CREATE INDEX break_glass_uses_open ON break_glass_uses (at) WHERE acknowledged_at IS NULL;

-- +goose Down
DROP TABLE break_glass_uses, break_glass, sign_in_origins, sign_in_steps, recovery_codes, passkeys, totp;
ALTER TABLE users DROP COLUMN factor_due_at;
ALTER TABLE sessions DROP COLUMN method, DROP COLUMN factor, DROP COLUMN proved_at;
