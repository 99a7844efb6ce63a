-- SavedViewList returns the views of a page that a person has or others share, by name.
-- name: SavedViewList :many
SELECT v.*, u.name AS owner_name FROM saved_views v JOIN users u ON u.id = v.owner
WHERE v.tenant_id = @tenant_id AND v.page = @page AND (v.owner = @owner OR v.shared AND u.status = 'active')
ORDER BY v.shared, lower(v.name), v.id LIMIT 200;

-- SavedViewCount counts the views of a person.
-- name: SavedViewCount :one
SELECT count(*) FROM saved_views WHERE owner = @owner;

-- SavedViewPut keeps a view, in place of the person's own of that name.
-- name: SavedViewPut :one
INSERT INTO saved_views (id, tenant_id, owner, page, name, query, shared, created_at)
VALUES (@id, @tenant_id, @owner, @page, @name, @query, @shared, @at)
ON CONFLICT (owner, page, name) DO UPDATE SET query = excluded.query, shared = excluded.shared, created_at = excluded.created_at
RETURNING *;

-- SavedViewDelete removes a view: one's own or, for whoever may, anybody's that is shared.
-- name: SavedViewDelete :one
DELETE FROM saved_views WHERE tenant_id = @tenant_id AND id = @id AND (owner = @owner OR @any_shared::boolean AND shared) RETURNING *;
