// Package audit keeps the record of every decision and every change: appended
// only, chained by hashes, and committed before anything acts upon it.
//
// It knows no other service. It refuses to say that something is recorded
// before the database has committed it, it has no way to change or delete a
// row, and it shows nobody the records of another tenant than the reader's.
//
// # Chains
//
// Rows form chains. In each, seq counts from 1 and prev_hash is the hash of the
// row before, 32 zero bytes in the first. The chain "change" takes the rows of
// changes, in the changing transaction itself: see [Append]. A replica's chain
// "lane/<replica>" takes its decisions and outcomes through its one [Writer].
// Within a chain the time never goes backwards.
//
// # Hash
//
//	hash = SHA-256( prev_hash ‖ JCS( every other column of the row ) )
//
// JCS is the JSON Canonicalization Scheme (RFC 8785) in UTF-8. The object has
// one member per column of audit_log except prev_hash and hash, named like the
// column: action, actor_id, actor_kind, actor_name, address, after, at, before,
// call, chain, classes, credential, detail, id, object, object_plugin,
// on_behalf_id, on_behalf_name, outcome, plugin_id, receivers, replica, rule,
// seq, tenant_id, trace. Values are written like this:
//
//   - SQL NULL: null
//   - text: string; uuid: string of lower-case hexadecimal with hyphens
//   - bigint: number (seq never exceeds 2^53-1)
//   - timestamptz: string, RFC 3339 in UTC with six decimals, such as
//     "2026-11-20T13:45:06.000120Z"
//   - text[]: array of strings, in the order of the row
//   - jsonb: the value itself; bytea would be standard base64
//
// prev_hash enters as its 32 bytes. Every jsonb value is stored so that it
// reads back to the same JCS: numbers are IEEE 754 doubles and no others (a
// number that is none becomes a string), and what PostgreSQL cannot hold, U+0000
// and lone surrogates, becomes U+FFFD.
//
// # Proof
//
// A chain in a database does not notice that all of it was computed anew, nor
// that an older copy was restored. [HeadWriter] therefore signs the last row of
// each chain and keeps that in a second place; [Verify] compares the two.
package audit
