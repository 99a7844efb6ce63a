-- +goose Up

-- Lists as people like to see them: a page of the console with a query.
CREATE TABLE saved_views (
    id         uuid PRIMARY KEY,
    tenant_id  text NOT NULL DEFAULT 'default',
    owner      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    page       text NOT NULL,
    name       text NOT NULL,
    query      text NOT NULL,
    shared     boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (owner, page, name)
);
CREATE INDEX saved_views_page ON saved_views (tenant_id, page);

-- +goose Down
DROP TABLE saved_views;
