-- +goose Up
-- A sign-in at a provider may also be the proof that somebody signed in is still there.
ALTER TABLE sso_flows DROP CONSTRAINT sso_flows_purpose_check, ADD CONSTRAINT sso_flows_purpose_check CHECK (purpose IN ('login', 'test', 'link', 'again'));
COMMENT ON COLUMN sessions.proved_at IS 'the last sign-in or step-up, or when the identity provider says that it was; the epoch: it does not say. Dangerous actions want a recent one';

-- +goose Down
DELETE FROM sso_flows WHERE purpose = 'again';
ALTER TABLE sso_flows DROP CONSTRAINT sso_flows_purpose_check, ADD CONSTRAINT sso_flows_purpose_check CHECK (purpose IN ('login', 'test', 'link'));
