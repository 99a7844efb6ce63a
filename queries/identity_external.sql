-- UserIdentityGet returns who an identity at a provider is, and keeps it from changing until the transaction ends.
-- name: UserIdentityGet :one
SELECT * FROM user_identities WHERE issuer = @issuer AND subject = @subject FOR UPDATE;

-- UserIdentityList returns the identities of a person.
-- name: UserIdentityList :many
SELECT i.*, p.name AS provider_name FROM user_identities i JOIN sso_providers p ON p.id = i.provider WHERE i.user_id = @user_id ORDER BY i.linked_at, i.id;

-- UserIdentityInsert links an identity at a provider with a person; a unique violation when it is somebody's already.
-- name: UserIdentityInsert :exec
INSERT INTO user_identities (id, user_id, provider, issuer, subject, email, linked_by, linked_at)
VALUES (@id, @user_id, @provider, @issuer, @subject, @email, @linked_by, @at);

-- UserIdentityUsed notes a sign-in, and by which provider and under which address.
-- name: UserIdentityUsed :exec
UPDATE user_identities SET last_used_at = @at::timestamptz, email = @email, provider = @provider WHERE id = @id;

-- UserIdentityDrop unlinks an identity of a person and returns it.
-- name: UserIdentityDrop :one
DELETE FROM user_identities WHERE id = @id AND user_id = @user_id RETURNING *;

-- UserIdentityDropAll unlinks every identity of a person.
-- name: UserIdentityDropAll :exec
DELETE FROM user_identities WHERE user_id = @user_id;

-- UserInsertExternal adds a person whom a provider vouches for; a unique violation when the e-mail address is taken.
-- name: UserInsertExternal :one
INSERT INTO users (id, tenant_id, email, name, source, status, created_at, updated_at)
VALUES (@id, @tenant_id, @email, @name, 'oidc', 'active', @at, @at) RETURNING *;
