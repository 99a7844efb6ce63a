-- EgressCredentialList returns every credential, sealed, by plugin and domain.
-- name: EgressCredentialList :many
SELECT * FROM egress_credentials ORDER BY plugin_id, domain;

-- EgressCredentialPut binds a credential to a plugin and a domain, in place of the one before.
-- name: EgressCredentialPut :one
INSERT INTO egress_credentials (plugin_id, domain, kind, terms, sealed, set_by)
VALUES (@plugin_id, @domain, @kind, @terms, @sealed, @set_by)
ON CONFLICT (plugin_id, domain) DO UPDATE SET kind = excluded.kind, terms = excluded.terms, sealed = excluded.sealed,
    set_by = excluded.set_by, set_at = now()
RETURNING *;

-- EgressCredentialDelete forgets a credential.
-- name: EgressCredentialDelete :one
DELETE FROM egress_credentials WHERE plugin_id = @plugin_id AND domain = @domain RETURNING *;
