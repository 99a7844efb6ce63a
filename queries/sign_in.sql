-- SessionProved notes that the owner of a session proved again that it is them, and with which factor; an empty one keeps what was shown before, and so does an older proof.
-- name: SessionProved :execrows
UPDATE sessions SET proved_at = GREATEST(proved_at, @at), factor = CASE WHEN @factor::text = '' THEN factor ELSE @factor END
WHERE id = @id AND user_id = @user_id AND revoked_at IS NULL;

-- UserFactorDue sets when a second factor is due, unless it is due before, and returns when it is.
-- name: UserFactorDue :one
UPDATE users SET factor_due_at = LEAST(factor_due_at, @due::timestamptz) WHERE id = @id RETURNING factor_due_at::timestamptz;

-- FactorsOf counts the second factors people have set up. Only those who have one are returned.
-- name: FactorsOf :many
SELECT users.id, (t.user_id IS NOT NULL)::boolean AS totp,
    (SELECT count(*) FROM passkeys p WHERE p.user_id = users.id) AS passkeys,
    (SELECT count(*) FROM recovery_codes r WHERE r.user_id = users.id AND r.used_at IS NULL) AS recovery_codes
FROM users LEFT JOIN totp t ON t.user_id = users.id AND t.confirmed_at IS NOT NULL
WHERE users.id = ANY (@users::uuid[]) AND (t.user_id IS NOT NULL OR EXISTS (SELECT FROM passkeys p WHERE p.user_id = users.id));

-- TOTPGet returns the authenticator app of a person, confirmed or not.
-- name: TOTPGet :one
SELECT * FROM totp WHERE user_id = @user_id;

-- TOTPBegin keeps a secret that waits to be confirmed, in place of one that waited before.
-- name: TOTPBegin :exec
INSERT INTO totp (user_id, pending, pending_at) VALUES (@user_id, @pending, @at::timestamptz)
ON CONFLICT (user_id) DO UPDATE SET pending = excluded.pending, pending_at = excluded.pending_at;

-- TOTPConfirm puts the waiting secret in force; 0 rows when it is another one by now.
-- name: TOTPConfirm :execrows
UPDATE totp SET sealed = pending, confirmed_at = @at::timestamptz, last_step = @step, pending = '', pending_at = NULL
WHERE user_id = @user_id AND pending = @pending;

-- TOTPUse spends the code of a step; 0 rows when that or a later one was spent.
-- name: TOTPUse :execrows
UPDATE totp SET last_step = @step WHERE user_id = @user_id AND confirmed_at IS NOT NULL AND last_step < @step;

-- TOTPDrop removes the authenticator app of a person.
-- name: TOTPDrop :execrows
DELETE FROM totp WHERE user_id = @user_id AND confirmed_at IS NOT NULL;

-- TOTPForget removes secrets that were never confirmed.
-- name: TOTPForget :execrows
DELETE FROM totp WHERE confirmed_at IS NULL AND pending_at < @before::timestamptz;

-- PasskeyInsert adds a passkey; a unique violation when somebody has it already.
-- name: PasskeyInsert :exec
INSERT INTO passkeys (id, user_id, name, sealed, sign_count, created_at) VALUES (@id, @user_id, @name, @sealed, @sign_count, @at);

-- PasskeyList returns the passkeys of a person, oldest first.
-- name: PasskeyList :many
SELECT * FROM passkeys WHERE user_id = @user_id ORDER BY created_at, id;

-- PasskeyUse notes the use of a passkey and the counter it showed; 0 rows when it was used meanwhile.
-- name: PasskeyUse :execrows
UPDATE passkeys SET sealed = @sealed, sign_count = @sign_count, last_used_at = @at::timestamptz
WHERE id = @id AND sign_count = @before;

-- PasskeyRename names a passkey.
-- name: PasskeyRename :execrows
UPDATE passkeys SET name = @name WHERE id = @id AND user_id = @user_id;

-- PasskeyDrop removes a passkey and returns its name.
-- name: PasskeyDrop :many
DELETE FROM passkeys WHERE id = @id AND user_id = @user_id RETURNING name;

-- PasskeyDropAll removes every passkey of a person.
-- name: PasskeyDropAll :execrows
DELETE FROM passkeys WHERE user_id = @user_id;

-- RecoveryCodeDrop voids every recovery code of a person.
-- name: RecoveryCodeDrop :exec
DELETE FROM recovery_codes WHERE user_id = @user_id;

-- RecoveryCodePut keeps recovery codes.
-- name: RecoveryCodePut :exec
INSERT INTO recovery_codes (user_id, digest, made_at) SELECT @user_id, unnest(@digests::text[]), @at;

-- RecoveryCodeUse spends a recovery code; 0 rows when there is none such or it was spent.
-- name: RecoveryCodeUse :execrows
UPDATE recovery_codes SET used_at = @at::timestamptz WHERE user_id = @user_id AND digest = @digest AND used_at IS NULL;

-- SignInStepPut keeps what waits for the next step, in place of what waited under the same key.
-- name: SignInStepPut :exec
INSERT INTO sign_in_steps (key, purpose, user_id, data, created_at, expires_at) VALUES (@key, @purpose, @user_id, @data, @at, @expires_at)
ON CONFLICT (key) DO UPDATE SET purpose = excluded.purpose, user_id = excluded.user_id, data = excluded.data,
    created_at = excluded.created_at, expires_at = excluded.expires_at;

-- SignInStepGet returns what waits under a key.
-- name: SignInStepGet :one
SELECT * FROM sign_in_steps WHERE key = @key AND purpose = @purpose AND expires_at > @at;

-- SignInStepTake removes what waits under a key and returns it: nobody takes it twice.
-- name: SignInStepTake :one
DELETE FROM sign_in_steps WHERE key = @key AND purpose = @purpose AND expires_at > @at RETURNING *;

-- SignInStepTrim forgets what waited in vain.
-- name: SignInStepTrim :execrows
DELETE FROM sign_in_steps WHERE expires_at < @before;

-- SignInOriginKnown tells whether an account was signed in to from an address since a time.
-- name: SignInOriginKnown :one
SELECT EXISTS (SELECT FROM sign_in_origins WHERE key = @key AND seen_at > @since);

-- SignInOriginPut notes where an account was signed in to.
-- name: SignInOriginPut :exec
INSERT INTO sign_in_origins (key, seen_at) VALUES (@key, @at) ON CONFLICT (key) DO UPDATE SET seen_at = excluded.seen_at;

-- SignInOriginTrim forgets places that were last seen before a time.
-- name: SignInOriginTrim :execrows
DELETE FROM sign_in_origins WHERE seen_at < @before;

-- BreakGlassPut makes a person an account for an emergency, or puts it under a new seal.
-- name: BreakGlassPut :exec
INSERT INTO break_glass (user_id, made_by, made_at, sealed_at, expires_at) VALUES (@user_id, @made_by, @at, @at, @expires_at)
ON CONFLICT (user_id) DO UPDATE SET sealed_at = excluded.sealed_at, expires_at = excluded.expires_at;

-- BreakGlassGet returns what makes a person an account for an emergency.
-- name: BreakGlassGet :one
SELECT * FROM break_glass WHERE user_id = @user_id;

-- BreakGlassList returns the accounts for an emergency, oldest first; one never used was used at the epoch.
-- name: BreakGlassList :many
SELECT sqlc.embed(break_glass), sqlc.embed(users),
    COALESCE((SELECT max(u.at) FROM break_glass_uses u WHERE u.user_id = users.id), 'epoch')::timestamptz AS used_at
FROM break_glass JOIN users ON users.id = break_glass.user_id
WHERE users.tenant_id = @tenant_id AND users.status <> 'deleted' ORDER BY break_glass.made_at, users.id;

-- BreakGlassReady tells whether an account for an emergency could be used now.
-- name: BreakGlassReady :one
SELECT EXISTS (SELECT FROM break_glass JOIN users ON users.id = break_glass.user_id
    WHERE users.tenant_id = @tenant_id AND users.status = 'active' AND break_glass.expires_at > @at);

-- BreakGlassUsed notes a use.
-- name: BreakGlassUsed :exec
INSERT INTO break_glass_uses (session_id, user_id, reason, address, at) VALUES (@session_id, @user_id, @reason, @address, @at);

-- BreakGlassAlerts returns the uses nobody acknowledged, latest first.
-- name: BreakGlassAlerts :many
SELECT sqlc.embed(break_glass_uses), users.name, (sessions.id IS NOT NULL)::boolean AS open
FROM break_glass_uses JOIN users ON users.id = break_glass_uses.user_id
    LEFT JOIN sessions ON sessions.id = break_glass_uses.session_id AND sessions.revoked_at IS NULL AND sessions.expires_at > @at
WHERE users.tenant_id = @tenant_id AND break_glass_uses.acknowledged_at IS NULL ORDER BY break_glass_uses.at DESC LIMIT 100;

-- BreakGlassAcknowledge notes who saw a use, and returns whose it was; no row when somebody had before.
-- name: BreakGlassAcknowledge :many
UPDATE break_glass_uses SET acknowledged_by = @by, acknowledged_name = @name, acknowledged_at = @at::timestamptz
WHERE session_id = @session_id AND acknowledged_at IS NULL RETURNING user_id;

-- UserByID returns one person of any tenant, deleted ones too: for a credential that names its owner.
-- name: UserByID :one
SELECT * FROM users WHERE id = @id;
