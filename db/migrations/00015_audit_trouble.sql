-- +goose Up

-- What went wrong in one way, newest first: denials are a thousand times as frequent
-- as actions whose end is unknown, so each is found by itself.
DROP INDEX audit_log_trouble;
CREATE INDEX audit_log_trouble ON audit_log (tenant_id, outcome, at) WHERE outcome IN ('deny', 'failed', 'unknown');

-- +goose Down
DROP INDEX audit_log_trouble;
CREATE INDEX audit_log_trouble ON audit_log (tenant_id, at) WHERE outcome IN ('deny', 'failed', 'unknown');
