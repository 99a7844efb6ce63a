// Package db reaches PostgreSQL: pools, transactions, migrations, roles, the
// generated queries, and the private PostgreSQL of a core that was given no
// other.
//
// Three roles share the work. The owner migrates and makes partitions, in
// [Setup] and [EnsureAuditPartitions]. [AppRole] serves requests: it may read
// and write every table, except that audit rows can only be added. [PurgeRole]
// may delete audit rows and nothing else. Setup refuses a database in which
// the app role could change an audit row, whoever gave it that right.
//
// The package decides nothing about plugins, users or records; rows become
// meaning, and pgx.ErrNoRows a NotFound, in the services above.
package db
