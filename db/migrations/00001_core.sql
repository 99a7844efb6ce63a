-- +goose Up

-- Plugins: what is registered, in which state, with which manifest in force.
CREATE TABLE plugins (
    id               text PRIMARY KEY,
    tenant_id        text NOT NULL DEFAULT 'default',
    kind             text NOT NULL DEFAULT 'service' CHECK (kind IN ('service', 'isolate')),
    name             text NOT NULL,
    version          text NOT NULL,
    manifest         jsonb NOT NULL,
    pending_manifest jsonb,
    state            text NOT NULL DEFAULT 'registered' CHECK (state IN ('registered', 'active', 'disabled', 'unhealthy', 'quarantined')),
    state_reason     text NOT NULL DEFAULT '',
    accepted_traits  text[] NOT NULL DEFAULT '{}',
    health           text NOT NULL DEFAULT 'unknown' CHECK (health IN ('unknown', 'healthy', 'degraded', 'unhealthy')),
    health_detail    text NOT NULL DEFAULT '',
    health_failures  integer NOT NULL DEFAULT 0,
    health_at        timestamptz,
    address          text NOT NULL DEFAULT '',
    generation       bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    config_version   bigint NOT NULL DEFAULT 0,
    registered_at    timestamptz NOT NULL DEFAULT now(),
    registered_from  text NOT NULL DEFAULT '',
    enabled_at       timestamptz,
    last_heartbeat   timestamptz,
    updated_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN plugins.generation IS 'rises when tokens are revoked (quarantine); a token of another generation is refused. It starts at the time in ms, so that a plugin registered anew never meets the tokens of its predecessor';
COMMENT ON COLUMN plugins.accepted_traits IS 'traits count once an administrator accepted them at enable';

-- Single-use credentials of a plugin; a second use of one revokes its family.
CREATE TABLE plugin_refresh_tokens (
    hash       bytea PRIMARY KEY,
    plugin_id  text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    generation bigint NOT NULL,
    family     uuid NOT NULL,
    issued_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    revoked_at timestamptz
);
CREATE INDEX plugin_refresh_tokens_plugin ON plugin_refresh_tokens (plugin_id);
CREATE INDEX plugin_refresh_tokens_family ON plugin_refresh_tokens (family);

-- What lets a plugin register under the policy "token".
CREATE TABLE registration_tokens (
    id         uuid PRIMARY KEY,
    hash       bytea NOT NULL UNIQUE,
    plugin_id  text,
    label      text NOT NULL DEFAULT '',
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    used_by    text REFERENCES plugins ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    revoked_at timestamptz
);
COMMENT ON COLUMN registration_tokens.plugin_id IS 'NULL: registers one plugin of any id, which is then written to used_by, and lets that one come back until it is unregistered; else: good for that id as often as it registers';

CREATE TABLE plugin_health (
    plugin_id  text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    at         timestamptz NOT NULL,
    health     text NOT NULL,
    detail     text NOT NULL DEFAULT '',
    latency_us bigint NOT NULL DEFAULT 0,
    metrics    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (plugin_id, at)
);

-- Operator calls that are allowed: by an accepted dependency or by an administrator.
CREATE TABLE grants (
    id         uuid PRIMARY KEY,
    caller     text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    target     text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    operations text[] NOT NULL DEFAULT '{}',
    source     text NOT NULL CHECK (source IN ('dependency', 'admin')),
    reason     text NOT NULL DEFAULT '',
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    UNIQUE (caller, target, source)
);
COMMENT ON COLUMN grants.operations IS 'empty: every declared operation of the target';

CREATE TABLE egress_approvals (
    id            uuid PRIMARY KEY,
    plugin_id     text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    domain        text NOT NULL,
    methods       text[] NOT NULL DEFAULT '{}',
    path_prefixes text[] NOT NULL DEFAULT '{}',
    ports         integer[] NOT NULL DEFAULT '{}',
    rate          integer CHECK (rate > 0),
    bytes         bigint CHECK (bytes > 0),
    reason        text NOT NULL DEFAULT '',
    source        text NOT NULL DEFAULT 'admin' CHECK (source IN ('admin', 'auto')),
    approved_by   text NOT NULL,
    approved_at   timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    UNIQUE (plugin_id, domain)
);
COMMENT ON COLUMN egress_approvals.rate IS 'requests a minute; NULL: the default limit';
COMMENT ON COLUMN egress_approvals.bytes IS 'body bytes a request, each way; NULL: the default limit';

-- Domains a plugin asked for, declared or not: what an administrator may want to decide on.
CREATE TABLE egress_observed (
    plugin_id  text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    domain     text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen  timestamptz NOT NULL DEFAULT now(),
    requests   bigint NOT NULL DEFAULT 1,
    last_rule  text NOT NULL DEFAULT '',
    PRIMARY KEY (plugin_id, domain)
);

CREATE TABLE custom_traits (
    ordinal       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    label         text NOT NULL,
    icon          text NOT NULL DEFAULT 'tag',
    description   text NOT NULL DEFAULT '',
    prerequisites text[] NOT NULL DEFAULT '{}',
    conflicts     text[] NOT NULL DEFAULT '{}',
    assignable    text[] NOT NULL DEFAULT '{user,plugin}',
    sensitive     boolean NOT NULL DEFAULT false,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- People.
CREATE TABLE users (
    id              uuid PRIMARY KEY,
    tenant_id       text NOT NULL DEFAULT 'default',
    email           text NOT NULL,
    name            text NOT NULL,
    source          text NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'oidc')),
    issuer          text,
    subject         text,
    password_hash   text NOT NULL DEFAULT '',
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('invited', 'active', 'suspended', 'deleted')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    last_login_at   timestamptz,
    password_set_at timestamptz
);
CREATE UNIQUE INDEX users_email ON users (tenant_id, lower(email)) WHERE status <> 'deleted';
CREATE INDEX users_name ON users (tenant_id, lower(name), id);
CREATE UNIQUE INDEX users_subject ON users (issuer, subject) WHERE issuer IS NOT NULL;

CREATE TABLE roles (
    name        text PRIMARY KEY,
    label       text NOT NULL,
    description text NOT NULL DEFAULT '',
    traits      text[] NOT NULL,
    builtin     boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO roles (name, label, description, traits, builtin) VALUES
    ('admin', 'Administrator', 'Runs the platform; sees no protected data without a data trait.', '{admin}', true),
    ('operator', 'Operator', 'Keeps it running: health, traffic and plugins.', '{operator,system_monitor,plugin_manager,event_viewer}', true),
    ('developer', 'Developer', 'Builds plugins: sees their state, traffic and models.', '{developer,event_viewer}', true),
    ('viewer', 'Viewer', 'Looks, and changes nothing.', '{viewer}', true),
    ('plugin-manager', 'Plugin manager', 'Installs, configures, upgrades and removes plugins.', '{plugin_manager,viewer}', true),
    ('config-manager', 'Configuration manager', 'Changes settings and secrets.', '{config_manager,viewer}', true),
    ('user-manager', 'User manager', 'Invites people, gives and takes roles.', '{user_manager,viewer}', true),
    ('auditor', 'Auditor', 'Reads, verifies and exports the audit.', '{audit_viewer,viewer}', true);

CREATE TABLE user_roles (
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role       text NOT NULL REFERENCES roles ON DELETE CASCADE,
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    PRIMARY KEY (user_id, role)
);

CREATE TABLE user_traits (
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    trait      text NOT NULL,
    reason     text NOT NULL DEFAULT '',
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    PRIMARY KEY (user_id, trait)
);

-- Sessions: only the hash of the secret is kept. A cookie and a bearer token are the same record.
CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    hash       bytea NOT NULL UNIQUE,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('cookie', 'token')),
    data       bytea NOT NULL DEFAULT '',
    address    text NOT NULL DEFAULT '',
    user_agent text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE invitations (
    hash       bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    hash         bytea NOT NULL UNIQUE,
    hint         text NOT NULL,
    owner        uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name         text NOT NULL,
    scope        text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_keys_owner ON api_keys (owner);

-- Failed sign-ins, counted by the hash of the account name and of the address, so that
-- a name that exists and one that does not are treated alike.
CREATE TABLE login_throttle (
    key      bytea PRIMARY KEY,
    failures integer NOT NULL,
    refused  integer NOT NULL DEFAULT 0,
    last_at  timestamptz NOT NULL,
    until    timestamptz NOT NULL
);
COMMENT ON COLUMN login_throttle.refused IS 'attempts refused unseen since the last counted one; the first is audited, the rest only as this number';

-- The one-time token of the first run.
CREATE TABLE setup (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz
);

-- The core's Ed25519 keys; private halves are sealed under the master key.
CREATE TABLE signing_keys (
    kid        text PRIMARY KEY,
    public     bytea NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL,
    retire_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON COLUMN signing_keys.retire_at IS 'from then on it signs nothing new; until expires_at what it signed still verifies';

-- Settings: the highest layer. A secret is sealed and its value column stays NULL.
CREATE TABLE settings (
    scope   text NOT NULL,
    key     text NOT NULL,
    value   jsonb,
    sealed  bytea,
    version bigint NOT NULL DEFAULT 1,
    set_by  text NOT NULL,
    set_at  timestamptz NOT NULL DEFAULT now(),
    reason  text NOT NULL DEFAULT '',
    PRIMARY KEY (scope, key),
    CHECK (num_nonnulls(value, sealed) = 1)
);
COMMENT ON COLUMN settings.scope IS 'global, or plugin:<id>';

CREATE TABLE settings_history (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope   text NOT NULL,
    key     text NOT NULL,
    before  jsonb,
    after   jsonb,
    secret  boolean NOT NULL DEFAULT false,
    version bigint NOT NULL,
    set_by  text NOT NULL,
    set_at  timestamptz NOT NULL DEFAULT now(),
    reason  text NOT NULL DEFAULT ''
);
CREATE INDEX settings_history_key ON settings_history (scope, key, id DESC);

-- Work that one replica does for all; the lease moves when its holder dies.
CREATE TABLE leases (
    name   text PRIMARY KEY,
    holder text NOT NULL,
    until  timestamptz NOT NULL
);

-- +goose Down
DROP TABLE leases, settings_history, settings, signing_keys, setup, login_throttle, api_keys, invitations, sessions,
    user_traits, user_roles, roles, users, custom_traits, egress_observed, egress_approvals, grants, plugin_health,
    registration_tokens, plugin_refresh_tokens, plugins;
