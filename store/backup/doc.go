// Package backup keeps copies of database and configuration in a directory: it
// makes them on a schedule, looks through each before an older one goes, and
// reads them again.
//
// A copy is one file, NAME.tar.gz, with config.toml (if there is a
// configuration) and scalelite.db in it. It must not import anything of the
// program: what a database is, others know.
package backup
