package bbbtest

// TB is what Start needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start starts a server for a test, which ends without it: it is closed by the
// test's cleanup.
func Start(t TB, o Options) *Server {
	t.Helper()
	s := New(o)
	if err := s.Start(); err != nil {
		t.Fatalf("start simulated server: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}
