-- PluginRunAdd notes that an instance was started.
-- name: PluginRunAdd :exec
INSERT INTO plugin_runs (instance, plugin_id, runtime, replica, version, image)
VALUES (@instance, @plugin_id, @runtime, @replica, @version, @image);

-- PluginRunEnd notes how an instance ended, once.
-- name: PluginRunEnd :execrows
UPDATE plugin_runs SET ended_at = now(), cause = @cause, exit_code = @exit_code, signal = @signal, oom = @oom, detail = @detail
WHERE instance = @instance AND ended_at IS NULL;

-- PluginRunsLost closes the runs of a replica that nobody saw the end of.
-- name: PluginRunsLost :execrows
UPDATE plugin_runs SET ended_at = now(), cause = 'lost' WHERE replica = @replica AND ended_at IS NULL AND NOT instance = ANY (@running::text[]);

-- PluginRunsFailed counts the runs of a plugin that failed since a time.
-- name: PluginRunsFailed :one
SELECT count(*) FROM plugin_runs WHERE plugin_id = @plugin_id AND cause IN ('failed', 'unhealthy') AND ended_at >= @since;

-- PluginRunList returns the runs of a plugin, newest first.
-- name: PluginRunList :many
SELECT * FROM plugin_runs WHERE plugin_id = @plugin_id ORDER BY started_at DESC LIMIT @most;

-- PluginRunTrim drops runs that ended before a time.
-- name: PluginRunTrim :execrows
DELETE FROM plugin_runs WHERE ended_at < @before;

-- PluginPlaceTake says that a plugin runs on a replica; 0 rows while another one
-- that was seen within the last minute has it.
-- name: PluginPlaceTake :execrows
INSERT INTO plugin_places (plugin_id, replica) VALUES (@plugin_id, @replica)
ON CONFLICT (plugin_id) DO UPDATE SET replica = excluded.replica, seen_at = now()
WHERE plugin_places.replica = excluded.replica OR plugin_places.seen_at < now() - interval '1 minute';

-- PluginPlace returns where a plugin runs.
-- name: PluginPlace :one
SELECT * FROM plugin_places WHERE plugin_id = @plugin_id;

-- PluginPlaceRenew says that a replica is still there.
-- name: PluginPlaceRenew :exec
UPDATE plugin_places SET seen_at = now() WHERE replica = @replica;

-- PluginPlaceDrop says that a plugin no longer runs on a replica.
-- name: PluginPlaceDrop :exec
DELETE FROM plugin_places WHERE plugin_id = @plugin_id AND replica = @replica;

-- PluginWaive lets a plugin run without limits that are in force.
-- name: PluginWaive :exec
INSERT INTO plugin_waivers (plugin_id, reason, given_by) VALUES (@plugin_id, @reason, @given_by)
ON CONFLICT (plugin_id) DO UPDATE SET reason = excluded.reason, given_by = excluded.given_by, given_at = now();

-- PluginWaived returns the waiver of a plugin.
-- name: PluginWaived :one
SELECT * FROM plugin_waivers WHERE plugin_id = @plugin_id;

-- PluginWaiverDrop takes a waiver back.
-- name: PluginWaiverDrop :execrows
DELETE FROM plugin_waivers WHERE plugin_id = @plugin_id;
