package canonical

// schemaName is the name (RFC 8141) of the schema that an event was published under.
func schemaName(typ, digest string) string { return "urn:vivified:schema:" + typ + ":" + digest }
