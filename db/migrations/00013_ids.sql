-- +goose Up

-- What plugins call a thing themselves, and what everybody else calls it.
CREATE TABLE id_map (
    tenant_id text NOT NULL,
    model     text NOT NULL,
    plugin_id text NOT NULL REFERENCES plugins ON DELETE CASCADE,
    local_id  text NOT NULL,
    global_id text NOT NULL,
    bound_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plugin_id, model, local_id),
    UNIQUE (plugin_id, model, global_id)
);
CREATE INDEX id_map_global ON id_map (tenant_id, model, global_id);
COMMENT ON COLUMN id_map.model IS 'what kind of thing it is, as schemas name it by x-global-id';

-- +goose Down
DROP TABLE id_map;
