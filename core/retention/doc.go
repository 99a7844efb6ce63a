// Package retention says how long records of the audit are kept, and takes away those
// that are kept no longer: first into an archive, then out of the database.
//
// How long depends on what a record touches: protected health information, other
// classes of data, or the security of the installation. Several may apply; the longest
// counts. A hold keeps what it describes until somebody lifts it.
//
// A chain can lose its beginning only, else it would not be a chain any more. So the
// first record that must stay keeps everything after it in its chain, and the last
// record of a chain always stays, since the next one follows it.
//
// It deletes nothing that it has not read back from the archive and verified, record
// by record: what was tampered with is never purged away. Deleting is done under the
// role vivified_purge, which the server's own role cannot become, in one transaction
// with the signed mark at which the chain begins from then on, and with its record.
package retention
