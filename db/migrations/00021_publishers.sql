-- +goose Up

-- The keys whose signatures the operator believes. A revoked one stays, as a memory of it.
CREATE TABLE publisher_keys (
    id           text NOT NULL,
    tenant_id    text NOT NULL DEFAULT 'default',
    name         text NOT NULL,
    pem          text NOT NULL,
    added_by     text NOT NULL,
    added_at     timestamptz NOT NULL,
    revoked_by   text NOT NULL DEFAULT '',
    revoked_at   timestamptz,
    reason       text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON COLUMN publisher_keys.id IS 'SHA-256 of the SubjectPublicKeyInfo, in hexadecimal';

-- The versions of a plugin that were in force, each with the settings it had, so that any may come back.
CREATE TABLE plugin_releases (
    plugin_id    text NOT NULL REFERENCES plugins (id) ON DELETE CASCADE,
    number       bigint NOT NULL,
    version      text NOT NULL,
    digest       text NOT NULL,
    manifest     jsonb NOT NULL,
    config       bigint NOT NULL DEFAULT 0,
    installed_by text NOT NULL,
    installed_at timestamptz NOT NULL,
    PRIMARY KEY (plugin_id, number)
);
COMMENT ON COLUMN plugin_releases.config IS 'the version of the settings that were in force when it was left';

-- +goose Down
DROP TABLE plugin_releases, publisher_keys;
