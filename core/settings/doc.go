// Package settings says how this installation is configured and keeps its
// secrets sealed.
//
// A setting is a declared [Key]. Its value comes from the highest layer that has
// one: built-in default, then the file vivified.yaml, then the environment, then
// the database; every read can say which layer that was, who set it and when.
// The settings of a plugin are checked against the schema in its manifest. Every
// change writes its history and its audit record in the same transaction.
//
// It refuses names nobody declared, values of the wrong shape, changes from the
// database of what only the operator of the machine may decide, and a start over
// sealed data whose key is missing. It never reads the environment itself and
// never hands a secret to anyone but the part or the plugin that uses it.
package settings
