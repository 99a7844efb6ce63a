-- SSOProviderList returns the identity providers of a tenant, by name.
-- name: SSOProviderList :many
SELECT * FROM sso_providers WHERE tenant_id = @tenant_id ORDER BY lower(name), id;

-- SSOProviderGet returns one identity provider.
-- name: SSOProviderGet :one
SELECT * FROM sso_providers WHERE tenant_id = @tenant_id AND id = @id;

-- SSOProviderLock returns one identity provider and keeps others from changing it until the transaction ends.
-- name: SSOProviderLock :one
SELECT * FROM sso_providers WHERE tenant_id = @tenant_id AND id = @id FOR UPDATE;

-- SSOProviderInsert adds an identity provider; a unique violation when its id is taken.
-- name: SSOProviderInsert :one
INSERT INTO sso_providers (id, tenant_id, name, icon, issuer, client_id, client_secret, secret_at, scopes, claims, domains, options, rules, enabled,
    created_by, created_at, updated_by, updated_at)
VALUES (@id, @tenant_id, @name, @icon, @issuer, @client_id, @client_secret, @secret_at, @scopes, @claims, @domains, @options, @rules, @enabled, @by, @at, @by, @at)
RETURNING *;

-- SSOProviderUpdate replaces an identity provider.
-- name: SSOProviderUpdate :one
UPDATE sso_providers SET name = @name, icon = @icon, issuer = @issuer, client_id = @client_id, client_secret = @client_secret, secret_at = @secret_at,
    scopes = @scopes, claims = @claims, domains = @domains, options = @options, rules = @rules, enabled = @enabled,
    version = version + 1, updated_by = @by, updated_at = @at
WHERE id = @id RETURNING *;

-- SSOProviderDelete removes an identity provider with its links, what it mapped, and its attempts.
-- name: SSOProviderDelete :execrows
DELETE FROM sso_providers WHERE id = @id;

-- SSOProviderPeople returns whom an identity provider's links are of.
-- name: SSOProviderPeople :many
SELECT user_id FROM user_identities WHERE provider = @provider;

-- SSOFlowInsert begins a sign-in, unless too many are on their way.
-- name: SSOFlowInsert :execrows
INSERT INTO sso_flows (state, browser, provider, purpose, user_id, nonce, verifier, next, started_at, expires_at)
SELECT @state, @browser, @provider, @purpose, @user_id, @nonce, @verifier, @next, @at, @expires_at
WHERE (SELECT count(*) FROM sso_flows) < @most::int;

-- SSOFlowTake returns a sign-in on its way and ends it: its state is good once. What ran out is returned too.
-- name: SSOFlowTake :one
DELETE FROM sso_flows WHERE state = @state RETURNING *;

-- SSOFlowTrim forgets sign-ins that nobody came back from.
-- name: SSOFlowTrim :execrows
DELETE FROM sso_flows WHERE expires_at < @before;

-- SSOSessionPut notes which provider started a session.
-- name: SSOSessionPut :exec
INSERT INTO sso_sessions (session_id, provider, issuer, subject, sid, id_token) VALUES (@session_id, @provider, @issuer, @subject, @sid, @id_token);

-- SSOSessionGet returns which provider started a session.
-- name: SSOSessionGet :one
SELECT * FROM sso_sessions WHERE session_id = @session_id;

-- SSOSessionsOf returns the live sessions of a subject, or with a sid those of one session at the provider.
-- name: SSOSessionsOf :many
SELECT sessions.id, sessions.user_id FROM sso_sessions p JOIN sessions ON sessions.id = p.session_id
WHERE p.provider = @provider AND p.issuer = @issuer AND (@subject::text = '' OR p.subject = @subject) AND (@sid::text = '' OR p.sid = @sid)
    AND (@subject <> '' OR @sid <> '') AND sessions.revoked_at IS NULL;

-- SSOSessionsBy returns the live sessions that a provider started.
-- name: SSOSessionsBy :many
SELECT sessions.id, sessions.user_id FROM sso_sessions p JOIN sessions ON sessions.id = p.session_id
WHERE p.provider = @provider AND sessions.revoked_at IS NULL;

-- SSOLogoutTokenUse notes a logout token; 0 rows when it was used before.
-- name: SSOLogoutTokenUse :execrows
INSERT INTO sso_logout_tokens (issuer, jti, expires_at) VALUES (@issuer, @jti, @expires_at) ON CONFLICT DO NOTHING;

-- SSOLogoutTokenTrim forgets logout tokens that would be refused for their age.
-- name: SSOLogoutTokenTrim :execrows
DELETE FROM sso_logout_tokens WHERE expires_at < @before;

-- SSOAttemptInsert keeps an attempt.
-- name: SSOAttemptInsert :exec
INSERT INTO sso_attempts (id, provider, purpose, at, address, user_id, issuer, subject, account, outcome, code, sentence, fix, steps, claims)
VALUES (@id, @provider, @purpose, @at, @address, @user_id, @issuer, @subject, @account, @outcome, @code, @sentence, @fix, @steps, @claims);

-- SSOAttemptGet returns one attempt.
-- name: SSOAttemptGet :one
SELECT a.* FROM sso_attempts a JOIN sso_providers p ON p.id = a.provider WHERE p.tenant_id = @tenant_id AND a.id = @id;

-- SSOAttemptList returns the last attempts, newest first, of a provider, or of a person, or both.
-- name: SSOAttemptList :many
SELECT a.* FROM sso_attempts a JOIN sso_providers p ON p.id = a.provider
WHERE p.tenant_id = @tenant_id AND (@provider::text = '' OR a.provider = @provider) AND (sqlc.narg('user_id')::uuid IS NULL OR a.user_id = sqlc.narg('user_id'))
    AND a.id < @before::uuid ORDER BY a.id DESC LIMIT @most;

-- SSOAttemptClaims returns the last attempt of a provider that brought claims.
-- name: SSOAttemptClaims :one
SELECT * FROM sso_attempts WHERE provider = @provider AND claims <> '' ORDER BY id DESC LIMIT 1;

-- SSOAttemptTrim forgets attempts before a time, and of each provider all but the last ones.
-- name: SSOAttemptTrim :execrows
DELETE FROM sso_attempts a WHERE a.at < @before::timestamptz
    OR a.id <= (SELECT b.id FROM sso_attempts b WHERE b.provider = a.provider ORDER BY b.id DESC OFFSET @keep::int LIMIT 1);

-- SSOAdminLogin returns when an administrator last signed in by a provider that is enabled.
-- name: SSOAdminLogin :one
SELECT i.last_used_at FROM user_identities i
JOIN users u ON u.id = i.user_id JOIN sso_providers p ON p.id = i.provider
WHERE u.tenant_id = @tenant_id AND u.status = 'active' AND p.enabled AND u.id = ANY (@admins::uuid[]) AND i.last_used_at IS NOT NULL
ORDER BY i.last_used_at DESC LIMIT 1;
