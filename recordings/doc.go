// Package recordings takes in what the BBB servers recorded, keeps the files and
// their records together whatever happens, and lets them be published, edited,
// deleted and brought back.
//
// The Library owns the trees of files and their records; every change of either
// goes through it. The Spool watches for tarballs and feeds them to the Library.
// Nothing here knows HTTP.
package recordings
