-- +goose Up
-- Leaving a setting that demands two people takes two people itself.
ALTER TABLE approvals DROP CONSTRAINT approvals_kind_check,
    ADD CONSTRAINT approvals_kind_check CHECK (kind IN ('egress', 'widening', 'elevation', 'grant', 'policy', 'setting'));
COMMENT ON COLUMN approvals.subject IS 'who is to get it: a plugin or a person; of rules: policy; a setting';
COMMENT ON COLUMN approvals.object IS 'what of: a host, the digest of a manifest, traits, a plugin to be called, a publication, a value';

-- +goose Down
DELETE FROM approvals WHERE kind = 'setting';
ALTER TABLE approvals DROP CONSTRAINT approvals_kind_check,
    ADD CONSTRAINT approvals_kind_check CHECK (kind IN ('egress', 'widening', 'elevation', 'grant', 'policy'));
