-- IDBind notes what a plugin calls a thing; what it called so before is called so no more.
-- name: IDBind :one
INSERT INTO id_map (tenant_id, model, plugin_id, local_id, global_id) VALUES (@tenant_id, @model, @plugin_id, @local_id, @global_id)
ON CONFLICT (plugin_id, model, local_id) DO UPDATE SET global_id = excluded.global_id, bound_at = now()
RETURNING *;

-- IDGet returns what a plugin's own id stands for.
-- name: IDGet :one
SELECT * FROM id_map WHERE plugin_id = @plugin_id AND model = @model AND local_id = @local_id;

-- IDUnbind forgets a plugin's own id.
-- name: IDUnbind :one
DELETE FROM id_map WHERE plugin_id = @plugin_id AND model = @model AND local_id = @local_id RETURNING *;

-- IDsGlobal returns what some of a plugin's own ids stand for; it may find more than was asked for.
-- name: IDsGlobal :many
SELECT model, local_id, global_id FROM id_map
WHERE plugin_id = @plugin_id AND model = ANY(@models::text[]) AND local_id = ANY(@ids::text[]);

-- IDsLocal returns what a plugin calls some things; it may find more than was asked for.
-- name: IDsLocal :many
SELECT model, local_id, global_id FROM id_map
WHERE plugin_id = @plugin_id AND model = ANY(@models::text[]) AND global_id = ANY(@ids::text[]);

-- IDsOf returns what every plugin calls one thing.
-- name: IDsOf :many
SELECT * FROM id_map WHERE tenant_id = @tenant_id AND model = @model AND global_id = @global_id ORDER BY plugin_id LIMIT 1000;
