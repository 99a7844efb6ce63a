-- SettingLock keeps others from changing the settings of a scope until the transaction ends.
-- name: SettingLock :exec
SELECT pg_advisory_xact_lock(hashtextextended('settings/' || sqlc.arg(scope)::text, 0));

-- SettingList returns what is set in a scope, by key.
-- name: SettingList :many
SELECT * FROM settings WHERE scope = @scope ORDER BY key;

-- SettingGet returns one setting.
-- name: SettingGet :one
SELECT * FROM settings WHERE scope = @scope AND key = @key;

-- SettingPut sets a value; either value or sealed is NULL.
-- name: SettingPut :exec
INSERT INTO settings (scope, key, value, sealed, version, set_by, set_at, reason)
VALUES (@scope, @key, @value, @sealed, @version, @set_by, clock_timestamp(), @reason)
ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value, sealed = excluded.sealed, version = excluded.version,
    set_by = excluded.set_by, set_at = excluded.set_at, reason = excluded.reason;

-- SettingDelete unsets a key; its history stays.
-- name: SettingDelete :exec
DELETE FROM settings WHERE scope = @scope AND key = @key;

-- SettingDeleteScope forgets everything set in a scope and its history, when what it belonged to is gone.
-- name: SettingDeleteScope :exec
WITH history AS (DELETE FROM settings_history WHERE settings_history.scope = @scope)
DELETE FROM settings WHERE settings.scope = @scope;

-- SettingHistoryAdd keeps one change. Of a secret, before and after hold digests.
-- name: SettingHistoryAdd :exec
INSERT INTO settings_history (scope, key, before, after, secret, version, set_by, reason)
VALUES (@scope, @key, @before, @after, @secret, @version, @set_by, @reason);

-- SettingHistoryList returns changes of a scope, newest first: all keys, or those of keys when it is not NULL.
-- name: SettingHistoryList :many
SELECT * FROM settings_history
WHERE scope = @scope AND (sqlc.narg(keys)::text[] IS NULL OR key = ANY (sqlc.narg(keys)::text[])) AND id < @before_id
ORDER BY id DESC LIMIT @most;

-- SettingHistoryGet returns one change of a scope.
-- name: SettingHistoryGet :one
SELECT * FROM settings_history WHERE scope = @scope AND id = @id;

-- SettingHistorySince returns what changed in a scope after a version, newest first.
-- name: SettingHistorySince :many
SELECT * FROM settings_history WHERE scope = @scope AND version > @version ORDER BY id DESC LIMIT @most;

-- SettingVersionLast returns the highest version a key ever had, 0 when it was never set.
-- name: SettingVersionLast :one
SELECT coalesce(max(version), 0)::bigint FROM settings_history WHERE scope = @scope AND key = @key;

-- SettingSealedHeaders returns the first bytes of everything sealed under the master key, which name the key, and how many values carry them.
-- name: SettingSealedHeaders :many
SELECT substring(sealed FOR sqlc.arg(size)::int)::bytea AS header, count(*) AS sealed_values
FROM (SELECT sealed FROM settings WHERE sealed IS NOT NULL UNION ALL SELECT sealed FROM signing_keys WHERE sealed <> '') AS everything
GROUP BY 1 ORDER BY 2 DESC;

-- PluginConfigState returns what the settings of a plugin depend on.
-- name: PluginConfigState :one
SELECT state, config_version FROM plugins WHERE id = @id;

-- PluginConfigLock is PluginConfigState, and keeps others from changing the plugin until the transaction ends.
-- name: PluginConfigLock :one
SELECT state, config_version FROM plugins WHERE id = @id FOR UPDATE;

-- PluginConfigList returns the settings of a plugin that were made since it was registered:
-- an id that was unregistered and taken anew inherits nothing.
-- name: PluginConfigList :many
SELECT s.* FROM settings AS s JOIN plugins AS p ON s.scope = 'plugin:' || p.id
WHERE p.id = @id AND s.set_at >= p.registered_at ORDER BY s.key;

-- PluginConfigTrim forgets the settings of an earlier registration of a plugin.
-- name: PluginConfigTrim :exec
DELETE FROM settings AS s USING plugins AS p WHERE p.id = @id AND s.scope = 'plugin:' || p.id AND s.set_at < p.registered_at;

-- PluginConfigBump raises the version of a plugin's settings.
-- name: PluginConfigBump :exec
UPDATE plugins SET config_version = @version, updated_at = now() WHERE id = @id;

-- SettingSecretList returns where secrets are set, without them: the core's own first, then plugin by plugin.
-- name: SettingSecretList :many
SELECT scope, key, set_by, set_at FROM settings WHERE sealed IS NOT NULL AND scope <> 'core'
ORDER BY scope <> 'global', scope, key LIMIT @most;
