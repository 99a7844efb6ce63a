-- SetupGet returns the one-time token of the first run.
-- name: SetupGet :one
SELECT * FROM setup;

-- SetupPut keeps a new one-time token in place of the old, unless one was used.
-- name: SetupPut :execrows
INSERT INTO setup (token_hash, created_at) VALUES (@token_hash, @at)
ON CONFLICT (singleton) DO UPDATE SET token_hash = excluded.token_hash, created_at = excluded.created_at
WHERE setup.used_at IS NULL;

-- SetupUse spends the one-time token; 0 rows when it is another one or was spent before.
-- name: SetupUse :execrows
UPDATE setup SET used_at = @at::timestamptz WHERE token_hash = @token_hash AND used_at IS NULL;

-- UserInsert adds a person; a unique violation when the e-mail address is taken.
-- name: UserInsert :one
INSERT INTO users (id, tenant_id, email, name, password_hash, status, created_at, updated_at, password_set_at)
VALUES (@id, @tenant_id, @email, @name, @password_hash, @status, @at, @at, @password_set_at)
RETURNING *;

-- UserGet returns one person, deleted ones too.
-- name: UserGet :one
SELECT * FROM users WHERE tenant_id = @tenant_id AND id = @id;

-- UserLock returns one person and keeps others from changing the row until the transaction ends.
-- name: UserLock :one
SELECT * FROM users WHERE tenant_id = @tenant_id AND id = @id FOR UPDATE;

-- UserByAccount returns who may be meant by an e-mail address or, without an @, by a name; two rows say that it is unclear.
-- name: UserByAccount :many
SELECT * FROM users
WHERE tenant_id = @tenant_id AND status <> 'deleted'
    AND (lower(email) = lower(@account::text) OR (strpos(@account, '@') = 0 AND lower(name) = lower(@account)))
LIMIT 2;

-- UserSetName renames a person.
-- name: UserSetName :exec
UPDATE users SET name = @name, updated_at = @at WHERE id = @id;

-- UserSetStatus moves a person only from the status its caller saw.
-- name: UserSetStatus :execrows
UPDATE users SET status = @to_status, updated_at = @at WHERE id = @id AND status = @from_status;

-- UserSetPassword keeps a new password hash.
-- name: UserSetPassword :exec
UPDATE users SET password_hash = @password_hash, password_set_at = @at::timestamptz, updated_at = @at WHERE id = @id;

-- UserUpgradeHash replaces a hash by a stronger one of the same password.
-- name: UserUpgradeHash :exec
UPDATE users SET password_hash = @new_hash WHERE id = @id AND password_hash = @old_hash;

-- UserSignedIn notes a sign-in.
-- name: UserSignedIn :exec
UPDATE users SET last_login_at = @at::timestamptz WHERE id = @id;

-- UserChangesLock lets one change of people happen at a time, so that two administrators cannot remove each other.
-- name: UserChangesLock :exec
SELECT pg_advisory_xact_lock(hashtextextended('identity/users', 0));

-- UserTraitPut gives a direct trait, or changes its reason and end.
-- name: UserTraitPut :exec
INSERT INTO user_traits (user_id, trait, reason, granted_by, granted_at, expires_at)
VALUES (@user_id, @trait, @reason, @granted_by, @at, @expires_at)
ON CONFLICT (user_id, trait) DO UPDATE SET reason = excluded.reason, granted_by = excluded.granted_by,
    granted_at = excluded.granted_at, expires_at = excluded.expires_at;

-- UserTraitDrop takes a direct trait away.
-- name: UserTraitDrop :execrows
DELETE FROM user_traits WHERE user_id = @user_id AND trait = @trait;

-- SessionInsert starts a session.
-- name: SessionInsert :one
INSERT INTO sessions (id, hash, user_id, kind, method, factor, address, user_agent, created_at, seen_at, proved_at, expires_at)
VALUES (@id, @hash, @user_id, @kind, @method, @factor, @address, @user_agent, @at, @at, @proved_at, @expires_at)
RETURNING *;

-- SessionByHash returns a session that was not revoked, and whose it is.
-- name: SessionByHash :one
SELECT sqlc.embed(sessions), sqlc.embed(users) FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.hash = @hash AND sessions.revoked_at IS NULL;

-- SessionByID returns a session that was not revoked, and whose it is.
-- name: SessionByID :one
SELECT sqlc.embed(sessions), sqlc.embed(users) FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.id = @id AND sessions.revoked_at IS NULL;

-- SessionList returns the sessions of a person that were not revoked and have not reached their absolute end, last used first.
-- name: SessionList :many
SELECT * FROM sessions WHERE user_id = @user_id AND revoked_at IS NULL AND expires_at > @at ORDER BY seen_at DESC, id;

-- SessionSeen notes that a session is in use.
-- name: SessionSeen :exec
UPDATE sessions SET seen_at = @at WHERE id = @id AND seen_at < @at;

-- SessionSetData keeps what the console stored in a session.
-- name: SessionSetData :exec
UPDATE sessions SET data = @data WHERE hash = @hash AND revoked_at IS NULL;

-- SessionRevoke ends a session of that person; 0 rows when there is none.
-- name: SessionRevoke :execrows
UPDATE sessions SET revoked_at = @at::timestamptz WHERE id = @id AND user_id = @user_id AND revoked_at IS NULL;

-- SessionRevokeByHash ends the session of a secret and returns it.
-- name: SessionRevokeByHash :many
UPDATE sessions SET revoked_at = @at::timestamptz WHERE hash = @hash AND revoked_at IS NULL RETURNING *;

-- SessionRevokeAll ends the sessions of a person, but one (or none, for the zero id).
-- name: SessionRevokeAll :execrows
UPDATE sessions SET revoked_at = @at::timestamptz WHERE user_id = @user_id AND id <> @spared AND revoked_at IS NULL;

-- SessionTrim forgets sessions that ended before a time.
-- name: SessionTrim :execrows
DELETE FROM sessions WHERE expires_at < @before OR revoked_at < @before;

-- InvitationPut adds a one-time link for a person.
-- name: InvitationPut :exec
INSERT INTO invitations (hash, user_id, created_by, created_at, expires_at) VALUES (@hash, @user_id, @created_by, @at, @expires_at);

-- InvitationGet returns an unspent link and its person.
-- name: InvitationGet :one
SELECT sqlc.embed(invitations), sqlc.embed(users) FROM invitations JOIN users ON users.id = invitations.user_id
WHERE invitations.hash = @hash AND invitations.used_at IS NULL AND invitations.expires_at > @at;

-- InvitationUse spends a link; 0 rows when it was spent or ran out.
-- name: InvitationUse :execrows
UPDATE invitations SET used_at = @at::timestamptz WHERE hash = @hash AND used_at IS NULL AND expires_at > @at;

-- InvitationDrop forgets the unspent links of a person.
-- name: InvitationDrop :exec
DELETE FROM invitations WHERE user_id = @user_id AND used_at IS NULL;

-- InvitationTrim forgets links that ran out before a time.
-- name: InvitationTrim :execrows
DELETE FROM invitations WHERE expires_at < @before;

-- ThrottleLock returns the count of a key, a new one if need be, and keeps others from it until the transaction ends.
-- name: ThrottleLock :one
INSERT INTO login_throttle (key, failures, last_at, until) VALUES (@key, 0, @at, @at)
ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING *;

-- ThrottleSet keeps the count of a key.
-- name: ThrottleSet :exec
UPDATE login_throttle SET failures = @failures, refused = @refused, last_at = @last_at, until = @until WHERE key = @key;

-- ThrottleTrim forgets counts that were last touched before a time.
-- name: ThrottleTrim :execrows
DELETE FROM login_throttle WHERE last_at < @before AND until < @before;

-- APIKeyInsert adds an API key.
-- name: APIKeyInsert :one
INSERT INTO api_keys (id, hash, hint, owner, name, scope, created_at, expires_at)
VALUES (@id, @hash, @hint, @owner, @name, @scope, @at, @expires_at)
RETURNING *;

-- APIKeyByHash returns a key that was not revoked, and whose it is.
-- name: APIKeyByHash :one
SELECT sqlc.embed(api_keys), sqlc.embed(users) FROM api_keys JOIN users ON users.id = api_keys.owner
WHERE api_keys.hash = @hash AND api_keys.revoked_at IS NULL;

-- APIKeyByID returns a key that was not revoked, and whose it is.
-- name: APIKeyByID :one
SELECT sqlc.embed(api_keys), sqlc.embed(users) FROM api_keys JOIN users ON users.id = api_keys.owner
WHERE api_keys.id = @id AND api_keys.revoked_at IS NULL;

-- APIKeyList returns the keys of a person, revoked and expired ones too, newest first.
-- name: APIKeyList :many
SELECT * FROM api_keys WHERE owner = @owner ORDER BY id DESC;

-- APIKeyListAll returns a page of everyone's keys, newest first.
-- name: APIKeyListAll :many
SELECT sqlc.embed(api_keys), sqlc.embed(users) FROM api_keys JOIN users ON users.id = api_keys.owner
WHERE users.tenant_id = @tenant_id AND api_keys.id < @before::uuid ORDER BY api_keys.id DESC LIMIT @most;

-- APIKeyRevoke ends a key; 0 rows when it had ended.
-- name: APIKeyRevoke :execrows
UPDATE api_keys SET revoked_at = @at::timestamptz WHERE id = @id AND revoked_at IS NULL;

-- APIKeyRevokeAll ends every key of a person.
-- name: APIKeyRevokeAll :execrows
UPDATE api_keys SET revoked_at = @at::timestamptz WHERE owner = @owner AND revoked_at IS NULL;

-- SigningKeysLock lets one replica at a time rotate.
-- name: SigningKeysLock :exec
SELECT pg_advisory_xact_lock(hashtextextended('identity/signing', 0));

-- SigningKeyList returns the keys whose signatures still verify, and those that will, oldest first.
-- name: SigningKeyList :many
SELECT * FROM signing_keys WHERE expires_at > @at ORDER BY not_before, created_at, kid;

-- SigningKeyInsert adds a key.
-- name: SigningKeyInsert :exec
INSERT INTO signing_keys (kid, public, sealed, created_at, not_before, retire_at, expires_at)
VALUES (@kid, @public, @sealed, @at, @not_before, @retire_at, @expires_at);

-- SigningKeyRetire ends the signing of every key that began before another, and what they signed a little later.
-- name: SigningKeyRetire :exec
UPDATE signing_keys SET retire_at = LEAST(retire_at, @retire_at), expires_at = LEAST(expires_at, @expires_at)
WHERE kid <> @spared AND expires_at > @at;

-- SigningKeyRevoke ends a key and all it signed at once; 0 rows when it had ended.
-- name: SigningKeyRevoke :execrows
UPDATE signing_keys SET retire_at = LEAST(retire_at, @at), expires_at = @at WHERE kid = @kid AND expires_at > @at;

-- SigningKeyBurn destroys the private halves of keys that ended before a time. The public ones stay: what they signed for the record is verified years later.
-- name: SigningKeyBurn :execrows
UPDATE signing_keys SET sealed = '' WHERE expires_at < @before AND sealed <> '';

-- RefreshTokenInsert adds a refresh token.
-- name: RefreshTokenInsert :exec
INSERT INTO plugin_refresh_tokens (hash, plugin_id, generation, family, issued_at, expires_at)
VALUES (@hash, @plugin_id, @generation, @family, @at, @expires_at);

-- RefreshTokenPlugin returns whose a refresh token is.
-- name: RefreshTokenPlugin :one
SELECT plugin_id FROM plugin_refresh_tokens WHERE hash = @hash;

-- RefreshTokenLock returns a refresh token and keeps others from it until the transaction ends.
-- name: RefreshTokenLock :one
SELECT * FROM plugin_refresh_tokens WHERE hash = @hash FOR UPDATE;

-- RefreshTokenUse spends a refresh token.
-- name: RefreshTokenUse :exec
UPDATE plugin_refresh_tokens SET used_at = @at::timestamptz WHERE hash = @hash;

-- RefreshTokenRevokeFamily ends every token descended from one registration.
-- name: RefreshTokenRevokeFamily :execrows
UPDATE plugin_refresh_tokens SET revoked_at = @at::timestamptz WHERE family = @family AND revoked_at IS NULL;

-- RefreshTokenEnded returns the families that ended since a time.
-- name: RefreshTokenEnded :many
SELECT DISTINCT family FROM plugin_refresh_tokens WHERE revoked_at > @since::timestamptz;

-- RefreshTokenTrim forgets refresh tokens that ran out before a time.
-- name: RefreshTokenTrim :execrows
DELETE FROM plugin_refresh_tokens WHERE expires_at < @before;

-- RegistrationTokenInsert adds a registration token.
-- name: RegistrationTokenInsert :one
INSERT INTO registration_tokens (id, hash, plugin_id, label, created_by, created_at, expires_at)
VALUES (@id, @hash, @plugin_id, @label, @created_by, @at, @expires_at)
RETURNING *;

-- RegistrationTokenLock returns a registration token and keeps others from it until the transaction ends.
-- name: RegistrationTokenLock :one
SELECT * FROM registration_tokens WHERE hash = @hash FOR UPDATE;

-- RegistrationTokenUse notes that a token registered a plugin, and which, unless it is bound to that one anyway.
-- name: RegistrationTokenUse :exec
UPDATE registration_tokens SET used_at = @at::timestamptz, used_by = CASE WHEN plugin_id IS NULL THEN @plugin_id::text END WHERE id = @id;

-- RegistrationTokenList returns a page of registration tokens, newest first.
-- name: RegistrationTokenList :many
SELECT * FROM registration_tokens WHERE id < @before::uuid ORDER BY id DESC LIMIT @most;

-- RegistrationTokenGet returns one registration token.
-- name: RegistrationTokenGet :one
SELECT * FROM registration_tokens WHERE id = @id;

-- RegistrationTokenRevoke ends a registration token and returns it; no row when it had ended.
-- name: RegistrationTokenRevoke :one
UPDATE registration_tokens SET revoked_at = @at::timestamptz WHERE id = @id AND revoked_at IS NULL RETURNING *;

-- SigningKeyPublic returns the public half of every key there ever was.
-- name: SigningKeyPublic :many
SELECT kid, public FROM signing_keys;
