-- UserList returns a page of people by name. like is a pattern for name or address; every filter is empty for all.
-- A trait is asked for by the names of all traits that bring it along.
-- name: UserList :many
SELECT * FROM users
WHERE tenant_id = @tenant_id
    AND (lower(name), id) > (lower(@after_name::text), @after_id::uuid)
    AND (@like_pattern::text = '' OR name ILIKE @like_pattern OR email ILIKE @like_pattern)
    AND (CASE WHEN @status::text = '' THEN status <> 'deleted' ELSE status = @status END)
    AND (@source::text = '' OR source = @source)
    AND (@in_group::uuid = '00000000-0000-0000-0000-000000000000' OR EXISTS (SELECT FROM group_members m
        WHERE m.user_id = users.id AND m.group_id = @in_group AND (m.expires_at IS NULL OR m.expires_at > @at::timestamptz)))
    AND (@role::text = '' OR EXISTS (SELECT FROM user_roles r
            WHERE r.user_id = users.id AND r.role = @role AND (r.expires_at IS NULL OR r.expires_at > @at))
        OR EXISTS (SELECT FROM group_members m JOIN group_roles g ON g.group_id = m.group_id
            WHERE m.user_id = users.id AND g.role = @role AND (m.expires_at IS NULL OR m.expires_at > @at) AND (g.expires_at IS NULL OR g.expires_at > @at)))
    AND (cardinality(@traits::text[]) = 0 OR EXISTS (SELECT FROM user_traits t
            WHERE t.user_id = users.id AND t.trait = ANY (@traits) AND (t.expires_at IS NULL OR t.expires_at > @at))
        OR EXISTS (SELECT FROM user_roles r JOIN roles ON roles.name = r.role
            WHERE r.user_id = users.id AND roles.traits && @traits AND (r.expires_at IS NULL OR r.expires_at > @at))
        OR EXISTS (SELECT FROM group_members m JOIN group_roles g ON g.group_id = m.group_id JOIN roles ON roles.name = g.role
            WHERE m.user_id = users.id AND roles.traits && @traits AND (m.expires_at IS NULL OR m.expires_at > @at) AND (g.expires_at IS NULL OR g.expires_at > @at)))
ORDER BY lower(name), id LIMIT @most;

-- UserGrants returns what people were given and still have: every role with its traits, by hand, by a mapping or by a group, and every direct trait.
-- name: UserGrants :many
SELECT r.user_id, (CASE WHEN r.source = '' THEN 'role' ELSE 'external' END)::text AS kind, roles.name, roles.label, roles.traits,
    ''::text AS group_id, ''::text AS group_name, r.source, r.reason, r.granted_by, r.granted_at, r.expires_at
FROM user_roles r JOIN roles ON roles.name = r.role
WHERE r.user_id = ANY (@users::uuid[]) AND (r.expires_at IS NULL OR r.expires_at > @at::timestamptz)
UNION ALL
SELECT m.user_id, 'group'::text, roles.name, roles.label, roles.traits, groups.id::text, groups.name, m.source, m.reason, m.granted_by, m.granted_at, LEAST(m.expires_at, g.expires_at)
FROM group_members m JOIN groups ON groups.id = m.group_id JOIN group_roles g ON g.group_id = m.group_id JOIN roles ON roles.name = g.role
WHERE m.user_id = ANY (@users::uuid[]) AND (m.expires_at IS NULL OR m.expires_at > @at::timestamptz) AND (g.expires_at IS NULL OR g.expires_at > @at::timestamptz)
UNION ALL
SELECT t.user_id, 'direct'::text, t.trait, ''::text, ARRAY[t.trait], ''::text, ''::text, ''::text, t.reason, t.granted_by, t.granted_at, t.expires_at
FROM user_traits t
WHERE t.user_id = ANY (@users::uuid[]) AND (t.expires_at IS NULL OR t.expires_at > @at::timestamptz)
ORDER BY kind DESC, name, group_name, source;

-- UserAdmins counts the active people who hold admin without an end; accounts for an emergency are not among them.
-- name: UserAdmins :one
SELECT count(*) FROM users u WHERE u.tenant_id = @tenant_id AND u.status = 'active'
    AND NOT EXISTS (SELECT FROM break_glass b WHERE b.user_id = u.id) AND (
    EXISTS (SELECT FROM user_roles r JOIN roles ON roles.name = r.role
        WHERE r.user_id = u.id AND r.expires_at IS NULL AND 'admin' = ANY (roles.traits))
    OR EXISTS (SELECT FROM group_members m JOIN group_roles g ON g.group_id = m.group_id JOIN roles ON roles.name = g.role
        WHERE m.user_id = u.id AND m.expires_at IS NULL AND g.expires_at IS NULL AND 'admin' = ANY (roles.traits))
    OR EXISTS (SELECT FROM user_traits t WHERE t.user_id = u.id AND t.expires_at IS NULL AND t.trait = 'admin'));

-- UsersByID returns people who were not deleted and keeps others from changing the rows until the transaction ends.
-- name: UsersByID :many
SELECT * FROM users WHERE tenant_id = @tenant_id AND id = ANY (@ids::uuid[]) AND status <> 'deleted' ORDER BY id FOR UPDATE;

-- UserTraitSets returns the sets of traits that active people were given, by any way, and how many have each set.
-- name: UserTraitSets :many
SELECT given.traits, count(*) AS people FROM (
    SELECT array_agg(DISTINCT t.trait ORDER BY t.trait)::text[] AS traits FROM users u JOIN (
        SELECT r.user_id, unnest(roles.traits) AS trait FROM user_roles r JOIN roles ON roles.name = r.role WHERE r.expires_at IS NULL OR r.expires_at > @at::timestamptz
        UNION ALL
        SELECT m.user_id, unnest(roles.traits) FROM group_members m JOIN group_roles g ON g.group_id = m.group_id JOIN roles ON roles.name = g.role
        WHERE (m.expires_at IS NULL OR m.expires_at > @at) AND (g.expires_at IS NULL OR g.expires_at > @at)
        UNION ALL
        SELECT d.user_id, d.trait FROM user_traits d WHERE d.expires_at IS NULL OR d.expires_at > @at
    ) t ON t.user_id = u.id
    WHERE u.tenant_id = @tenant_id AND u.status = 'active' GROUP BY u.id
) given GROUP BY given.traits;

-- UserRolesDrop takes every role of a source from a person that is not in the list.
-- name: UserRolesDrop :exec
DELETE FROM user_roles WHERE user_id = @user_id AND source = @source AND NOT role = ANY (@keep::text[]);

-- UserRolePut gives a role, or changes its end and reason.
-- name: UserRolePut :exec
INSERT INTO user_roles (user_id, role, source, reason, granted_by, granted_at, expires_at)
VALUES (@user_id, @role, @source, @reason, @granted_by, @at, @expires_at)
ON CONFLICT (user_id, role, source) DO UPDATE SET reason = excluded.reason, granted_by = excluded.granted_by, granted_at = excluded.granted_at, expires_at = excluded.expires_at
WHERE user_roles.expires_at IS DISTINCT FROM excluded.expires_at OR excluded.reason NOT IN ('', user_roles.reason);

-- UserRolesExpire takes away the roles that ran out, and returns them.
-- name: UserRolesExpire :many
WITH gone AS (DELETE FROM user_roles WHERE expires_at <= @at::timestamptz RETURNING *)
SELECT gone.*, users.tenant_id FROM gone JOIN users ON users.id = gone.user_id;

-- UserTraitsExpire takes away the direct traits that ran out, and returns them.
-- name: UserTraitsExpire :many
WITH gone AS (DELETE FROM user_traits WHERE expires_at <= @at::timestamptz RETURNING *)
SELECT gone.*, users.tenant_id FROM gone JOIN users ON users.id = gone.user_id;

-- RoleList returns every role, shipped ones first.
-- name: RoleList :many
SELECT * FROM roles ORDER BY builtin DESC, created_at, name;

-- RoleGet returns one role.
-- name: RoleGet :one
SELECT * FROM roles WHERE name = @name;

-- RoleInsert adds a role; a unique violation when the name is taken.
-- name: RoleInsert :exec
INSERT INTO roles (name, label, description, traits, created_at) VALUES (@name, @label, @description, @traits, @at);

-- RoleUpdate changes a role that is not built in; 0 rows when there is none.
-- name: RoleUpdate :execrows
UPDATE roles SET label = @label, description = @description, traits = @traits WHERE name = @name AND NOT builtin;

-- RoleDelete removes a role that is not built in, and takes it from everybody; 0 rows when there is none.
-- name: RoleDelete :execrows
DELETE FROM roles WHERE name = @name AND NOT builtin;

-- RoleHolders returns who has a role now, by any way.
-- name: RoleHolders :many
SELECT r.user_id FROM user_roles r WHERE r.role = @role AND (r.expires_at IS NULL OR r.expires_at > @at::timestamptz)
UNION
SELECT m.user_id FROM group_members m JOIN group_roles g ON g.group_id = m.group_id
WHERE g.role = @role AND (m.expires_at IS NULL OR m.expires_at > @at) AND (g.expires_at IS NULL OR g.expires_at > @at);

-- RoleCounts returns for every role how many people who were not deleted have it, by any way, and how many groups carry it.
-- name: RoleCounts :many
SELECT roles.name, (SELECT count(*) FROM groups JOIN group_roles g ON g.group_id = groups.id WHERE groups.tenant_id = @tenant_id AND g.role = roles.name AND (g.expires_at IS NULL OR g.expires_at > @at::timestamptz)) AS groups,
    (SELECT count(*) FROM users u WHERE u.tenant_id = @tenant_id AND u.status <> 'deleted' AND (
        EXISTS (SELECT FROM user_roles r WHERE r.user_id = u.id AND r.role = roles.name AND (r.expires_at IS NULL OR r.expires_at > @at))
        OR EXISTS (SELECT FROM group_members m JOIN group_roles g ON g.group_id = m.group_id
            WHERE m.user_id = u.id AND g.role = roles.name AND (m.expires_at IS NULL OR m.expires_at > @at) AND (g.expires_at IS NULL OR g.expires_at > @at)))) AS people
FROM roles;

-- GroupList returns a page of groups by name, with how many people are in each now.
-- name: GroupList :many
SELECT sqlc.embed(groups), (SELECT count(DISTINCT m.user_id) FROM group_members m JOIN users u ON u.id = m.user_id
    WHERE m.group_id = groups.id AND u.status <> 'deleted' AND (m.expires_at IS NULL OR m.expires_at > @at::timestamptz)) AS people
FROM groups
WHERE groups.tenant_id = @tenant_id AND lower(groups.name) > lower(@after_name::text) AND (@like_pattern::text = '' OR groups.name ILIKE @like_pattern)
    AND (@role::text = '' OR EXISTS (SELECT FROM group_roles g WHERE g.group_id = groups.id AND g.role = @role AND (g.expires_at IS NULL OR g.expires_at > @at)))
ORDER BY lower(groups.name) LIMIT @most;

-- GroupGet returns one group.
-- name: GroupGet :one
SELECT * FROM groups WHERE tenant_id = @tenant_id AND id = @id;

-- GroupInsert adds a group; a unique violation when the name is taken.
-- name: GroupInsert :one
INSERT INTO groups (id, tenant_id, name, description, created_by, created_at, updated_at)
VALUES (@id, @tenant_id, @name, @description, @created_by, @at, @at) RETURNING *;

-- GroupUpdate renames and describes a group; a unique violation when the name is taken.
-- name: GroupUpdate :exec
UPDATE groups SET name = @name, description = @description, updated_at = @at WHERE id = @id;

-- GroupDelete removes a group; who was in it stays without it.
-- name: GroupDelete :exec
DELETE FROM groups WHERE id = @id;

-- GroupRoles returns the roles that groups carry now.
-- name: GroupRoles :many
SELECT g.group_id, g.expires_at, roles.name, roles.label, roles.traits FROM group_roles g JOIN roles ON roles.name = g.role
WHERE g.group_id = ANY (@groups::uuid[]) AND (g.expires_at IS NULL OR g.expires_at > @at::timestamptz)
ORDER BY g.group_id, roles.name;

-- GroupRolesDrop takes every role from a group that is not in the list.
-- name: GroupRolesDrop :exec
DELETE FROM group_roles WHERE group_id = @group_id AND NOT role = ANY (@keep::text[]);

-- GroupRolePut gives a group a role, or changes its end.
-- name: GroupRolePut :exec
INSERT INTO group_roles (group_id, role, granted_by, granted_at, expires_at) VALUES (@group_id, @role, @granted_by, @at, @expires_at)
ON CONFLICT (group_id, role) DO UPDATE SET granted_by = excluded.granted_by, granted_at = excluded.granted_at, expires_at = excluded.expires_at
WHERE group_roles.expires_at IS DISTINCT FROM excluded.expires_at;

-- GroupRolesExpire takes the roles that ran out from groups, and returns them.
-- name: GroupRolesExpire :many
WITH gone AS (DELETE FROM group_roles WHERE expires_at <= @at::timestamptz RETURNING *)
SELECT gone.*, groups.name, groups.tenant_id FROM gone JOIN groups ON groups.id = gone.group_id;

-- GroupMembers returns the people in a group now, by name.
-- name: GroupMembers :many
SELECT sqlc.embed(users), m.source, m.reason, m.granted_by, m.granted_at, m.expires_at FROM group_members m JOIN users ON users.id = m.user_id
WHERE m.group_id = @group_id AND users.status <> 'deleted' AND (m.expires_at IS NULL OR m.expires_at > @at::timestamptz)
    AND (lower(users.name), users.id, m.source) > (lower(@after_name::text), @after_id::uuid, @after_source::text)
ORDER BY lower(users.name), users.id, m.source LIMIT @most;

-- GroupMemberIDs returns who is in a group now and was not deleted.
-- name: GroupMemberIDs :many
SELECT DISTINCT m.user_id FROM group_members m JOIN users u ON u.id = m.user_id
WHERE m.group_id = @group_id AND u.status <> 'deleted' AND (m.expires_at IS NULL OR m.expires_at > @at::timestamptz);

-- GroupsOf returns the groups that people are in now.
-- name: GroupsOf :many
SELECT m.user_id, m.group_id, groups.name, m.source, m.reason, m.granted_by, m.granted_at, m.expires_at FROM group_members m JOIN groups ON groups.id = m.group_id
WHERE m.user_id = ANY (@users::uuid[]) AND (m.expires_at IS NULL OR m.expires_at > @at::timestamptz)
ORDER BY m.user_id, lower(groups.name), m.source;

-- GroupMemberPut puts a person into a group, or changes their end and reason there.
-- name: GroupMemberPut :exec
INSERT INTO group_members (group_id, user_id, source, reason, granted_by, granted_at, expires_at)
VALUES (@group_id, @user_id, @source, @reason, @granted_by, @at, @expires_at)
ON CONFLICT (group_id, user_id, source) DO UPDATE SET reason = excluded.reason, granted_by = excluded.granted_by, granted_at = excluded.granted_at, expires_at = excluded.expires_at
WHERE group_members.expires_at IS DISTINCT FROM excluded.expires_at OR excluded.reason NOT IN ('', group_members.reason);

-- GroupMemberDrop takes a person out of a group that somebody put them in; 0 rows when nobody did.
-- name: GroupMemberDrop :execrows
DELETE FROM group_members WHERE group_id = @group_id AND user_id = @user_id AND source = '';

-- GroupMembersDrop takes a person out of every group of a source that is not in the list.
-- name: GroupMembersDrop :exec
DELETE FROM group_members WHERE user_id = @user_id AND source = @source AND NOT group_id = ANY (@keep::uuid[]);

-- GroupMembersExpire takes people out of groups whose time there ran out, and returns them.
-- name: GroupMembersExpire :many
WITH gone AS (DELETE FROM group_members WHERE expires_at <= @at::timestamptz RETURNING *)
SELECT gone.*, groups.name, groups.tenant_id FROM gone JOIN groups ON groups.id = gone.group_id;

-- APIKeyUsed notes that a key is in use, and from where.
-- name: APIKeyUsed :exec
UPDATE api_keys SET last_used_at = @at::timestamptz, last_used_address = @address WHERE id = @id AND (last_used_at IS NULL OR last_used_at < @at);

-- SessionsRevoke ends every session of people.
-- name: SessionsRevoke :execrows
UPDATE sessions SET revoked_at = @at::timestamptz WHERE user_id = ANY (@users::uuid[]) AND revoked_at IS NULL;

-- InvitationsOpen returns the people who were invited and have not joined, with the link that is good for them, if one is; the latest first.
-- name: InvitationsOpen :many
SELECT sqlc.embed(users), coalesce(i.created_by, '')::text AS invited_by,
    coalesce(i.expires_at, users.created_at)::timestamptz AS good_until FROM users
LEFT JOIN LATERAL (SELECT * FROM invitations WHERE invitations.user_id = users.id AND invitations.used_at IS NULL ORDER BY invitations.expires_at DESC LIMIT 1) i ON true
WHERE users.tenant_id = @tenant_id AND users.status = 'invited' AND users.id < @before::uuid ORDER BY users.id DESC LIMIT @most;

-- APIKeyLock returns a key, also one that ended, and keeps others from changing it until the transaction ends.
-- name: APIKeyLock :one
SELECT * FROM api_keys WHERE id = @id FOR UPDATE;

-- APIKeyRotated makes a key end by a time, unless it ends sooner, and says which one takes its place.
-- name: APIKeyRotated :exec
UPDATE api_keys SET expires_at = LEAST(expires_at, @until::timestamptz) WHERE id = @id;

-- APIKeyReplaces notes which key another was rotated from.
-- name: APIKeyReplaces :exec
UPDATE api_keys SET replaces = @replaces::uuid WHERE id = @id;

-- APIKeysStale counts the keys in force of one person, or of everybody for the zero id, that were made and last used before a time.
-- name: APIKeysStale :one
SELECT count(*) FROM api_keys k JOIN users ON users.id = k.owner
WHERE users.tenant_id = @tenant_id AND (@owner::uuid = '00000000-0000-0000-0000-000000000000' OR k.owner = @owner)
    AND k.revoked_at IS NULL AND k.expires_at > @at::timestamptz AND users.status = 'active' AND coalesce(k.last_used_at, k.created_at) <= @before::timestamptz;

-- ViewingInsert begins a look at the console as somebody else; a unique violation when the session has one.
-- name: ViewingInsert :exec
INSERT INTO viewings (id, session_id, viewer, viewed, reason, started_at, expires_at)
VALUES (@id, @session_id, @viewer, @viewed, @reason, @at, @expires_at);

-- ViewingOf returns the look that a session has, and as whom.
-- name: ViewingOf :one
SELECT sqlc.embed(viewings), sqlc.embed(users) FROM viewings JOIN users ON users.id = viewings.viewed
WHERE viewings.session_id = @session_id AND viewings.ended_at IS NULL AND viewings.expires_at > @at;

-- ViewingEnd ends the look that a session has, and returns it.
-- name: ViewingEnd :many
UPDATE viewings SET ended_at = @at::timestamptz WHERE session_id = @session_id AND ended_at IS NULL RETURNING *;

-- ViewingsEnd ends the looks whose time, session or person is over, and returns them with who looked.
-- name: ViewingsEnd :many
WITH ended AS (UPDATE viewings v SET ended_at = @at::timestamptz FROM sessions s, users u
    WHERE s.id = v.session_id AND u.id = v.viewed AND v.ended_at IS NULL
        AND (v.expires_at <= @at OR s.revoked_at IS NOT NULL OR s.expires_at <= @at OR u.status <> 'active') RETURNING v.*)
SELECT ended.*, users.name AS viewer_name, users.tenant_id FROM ended JOIN users ON users.id = ended.viewer;

-- ExpiringGrants returns a page of what people were given with an end that is still to come, soonest first: roles, traits, and places in groups by their ids.
-- name: ExpiringGrants :many
SELECT sqlc.embed(users), given.kind, given.name, given.label, given.source, given.reason, given.granted_by, given.granted_at, given.expires_at FROM (
    SELECT r.user_id, 'role'::text AS kind, roles.name, roles.label, r.source, r.reason, r.granted_by, r.granted_at, r.expires_at::timestamptz AS expires_at
    FROM user_roles r JOIN roles ON roles.name = r.role WHERE r.expires_at IS NOT NULL
    UNION ALL
    SELECT t.user_id, 'trait'::text, t.trait, t.trait, ''::text, t.reason, t.granted_by, t.granted_at, t.expires_at::timestamptz FROM user_traits t WHERE t.expires_at IS NOT NULL
    UNION ALL
    SELECT m.user_id, 'group'::text, groups.id::text, groups.name, m.source, m.reason, m.granted_by, m.granted_at, m.expires_at::timestamptz
    FROM group_members m JOIN groups ON groups.id = m.group_id WHERE m.expires_at IS NOT NULL
) given JOIN users ON users.id = given.user_id
WHERE users.tenant_id = @tenant_id AND users.status <> 'deleted' AND given.expires_at > @at::timestamptz
    AND (given.expires_at, given.user_id, given.kind, given.name, given.source) > (@after_end::timestamptz, @after_user::uuid, @after_kind::text, @after_name::text, @after_source::text)
ORDER BY given.expires_at, given.user_id, given.kind, given.name, given.source LIMIT @most;
