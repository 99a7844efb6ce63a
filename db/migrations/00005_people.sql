-- +goose Up

-- Groups carry roles; people are in groups. A mapping of an identity provider puts
-- people into groups too; what it gave is told apart by its source, so that the
-- mapping takes away at the next sign-in only what it gave.
CREATE TABLE groups (
    id          uuid PRIMARY KEY,
    tenant_id   text NOT NULL DEFAULT 'default',
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX groups_name ON groups (tenant_id, lower(name));

CREATE TABLE group_roles (
    group_id   uuid NOT NULL REFERENCES groups ON DELETE CASCADE,
    role       text NOT NULL REFERENCES roles ON DELETE CASCADE,
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    PRIMARY KEY (group_id, role)
);
CREATE INDEX group_roles_role ON group_roles (role);

CREATE TABLE group_members (
    group_id   uuid NOT NULL REFERENCES groups ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    source     text NOT NULL DEFAULT '',
    reason     text NOT NULL DEFAULT '',
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    PRIMARY KEY (group_id, user_id, source)
);
CREATE INDEX group_members_user ON group_members (user_id);
COMMENT ON COLUMN group_members.source IS 'the identity provider whose mapping put the person in; empty: a person did';

ALTER TABLE user_roles ADD COLUMN source text NOT NULL DEFAULT '', ADD COLUMN reason text NOT NULL DEFAULT '';
ALTER TABLE user_roles DROP CONSTRAINT user_roles_pkey, ADD PRIMARY KEY (user_id, role, source);
COMMENT ON COLUMN user_roles.source IS 'the identity provider whose mapping gave the role; empty: a person did';
CREATE INDEX user_roles_role ON user_roles (role);

-- What ran out is looked for every few seconds.
CREATE INDEX user_roles_end ON user_roles (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX user_traits_end ON user_traits (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX group_roles_end ON group_roles (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX group_members_end ON group_members (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE api_keys
    ADD COLUMN last_used_address text NOT NULL DEFAULT '',
    ADD COLUMN replaces uuid REFERENCES api_keys ON DELETE SET NULL;
COMMENT ON COLUMN api_keys.replaces IS 'the key this one was rotated from; that one ends after the overlap';

-- A look at the console as somebody else has it, by one session at a time.
CREATE TABLE viewings (
    id         uuid PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    viewer     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    viewed     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    reason     text NOT NULL,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE UNIQUE INDEX viewings_session ON viewings (session_id) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE viewings, group_members, group_roles, groups;
ALTER TABLE api_keys DROP COLUMN replaces, DROP COLUMN last_used_address;
DELETE FROM user_roles WHERE source <> '';
ALTER TABLE user_roles DROP CONSTRAINT user_roles_pkey, DROP COLUMN source, DROP COLUMN reason, ADD PRIMARY KEY (user_id, role);
DROP INDEX user_roles_role, user_roles_end, user_traits_end;
