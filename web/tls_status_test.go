package web

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"scalelite/store"
	"scalelite/store/storetest"
)

// TestACMEStatus: the certificate that the store has, and why there is none.
func TestACMEStatus(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), storetest.Open(t)
	c := DefaultConfig()
	c.TLS, c.Host = TLSAuto, acmeHost
	c.ACMEDirectory = "https://127.0.0.1:1/directory" // nobody is there
	certs, err := OpenCertificates(c, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	status, ok, err := certs.ACME(ctx)
	if err != nil || !ok || len(status.Names) > 0 || status.Failure != "" {
		t.Errorf("before the first attempt: %+v, %t, %v", status, ok, err)
	}
	source := certs.source.(acmeNames)[0]
	if err := source.obtain(ctx, source.current.Load()); err == nil {
		t.Fatal("a certificate came from nobody")
	}
	status, _, err = certs.ACME(ctx)
	if err != nil || status.Failure == "" {
		t.Errorf("after one that failed: %+v, %v", status, err)
	}
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	cert, key := testPair(t, "one", until, acmeHost)
	err = s.Update(ctx, func(tx *store.Tx) error {
		return tx.PutCertificate(c.ACMEDirectory, acmeHost, slices.Concat(key, cert))
	})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := StoredACME(ctx, c, s)
	if err != nil || !slices.Equal(stored.Names, []string{acmeHost}) || !stored.NotAfter.Equal(until) {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	c.ACMEDirectory = "https://127.0.0.1:1/another"
	if stored, err = StoredACME(ctx, c, s); err != nil || len(stored.Names) > 0 {
		t.Errorf("of another authority: %+v, %v", stored, err)
	}
	f := newPairFiles(t)
	writeBytes(t, f.cert, cert)
	writeBytes(t, f.key, key)
	c.TLS, c.TLSCert, c.TLSKey = TLSFiles, f.cert, f.key
	if certs, err = OpenCertificates(c, s, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := certs.ACME(ctx); ok || err != nil {
		t.Errorf("from files: %t, %v", ok, err)
	}
}
