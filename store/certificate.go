package store

import "scalelite/store/kv"

// A certificate lies in the table under its issuer, the address of the ACME
// directory, and its name there: what one authority gave is never taken for
// another's, and a try with a staging directory leaves nothing behind.
func certificateKey(issuer, name string) kv.Key {
	return certificateTable.String(issuer).String(name)
}

// Certificate returns what was kept under the name, private keys included, or
// ErrNotFound.
func (tx *Tx) Certificate(issuer, name string) ([]byte, error) {
	return get[[]byte](tx, certificateKey(issuer, name))
}

// PutCertificate keeps data under the name, in place of what was there.
func (tx *Tx) PutCertificate(issuer, name string, data []byte) error {
	return tx.put(certificateKey(issuer, name), data)
}

// DeleteCertificate forgets what is kept under the name; that there is nothing
// is no error.
func (tx *Tx) DeleteCertificate(issuer, name string) error {
	return tx.kv.Delete(certificateKey(issuer, name))
}
