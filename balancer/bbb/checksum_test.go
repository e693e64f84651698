package bbb

import "testing"

const (
	vectorSecret = Secret("639259d4-9dd8-4b25-bf01-95f9567eaf4b")
	vectorQuery  = "name=Test+Meeting&meetingID=abc123&attendeePW=111222&moderatorPW=333444"
)

// The example of BBB's API reference, and the same in SHA-256.
func TestChecksumVector(t *testing.T) {
	t.Parallel()
	for algorithm, want := range map[Algorithm]string{
		SHA1:   "1fcbb0c4fc1f039f73aa6d697d2db9ba7f803f17",
		SHA256: "da9185f7f333cfdfcd6eeac32dca3777510c4c436020d8b887ba5515bd1d189e",
		"":     "da9185f7f333cfdfcd6eeac32dca3777510c4c436020d8b887ba5515bd1d189e",
	} {
		if got := Checksum(algorithm, "create", vectorQuery, vectorSecret); got != want {
			t.Errorf("%q: %s, want %s", algorithm, got, want)
		}
	}
	for algorithm, length := range map[Algorithm]int{SHA1: 40, SHA256: 64, SHA384: 96, SHA512: 128} {
		if got := len(Checksum(algorithm, "create", vectorQuery, vectorSecret)); got != length {
			t.Errorf("%s has %d digits, want %d", algorithm, got, length)
		}
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	want := vectorQuery + "&checksum=1fcbb0c4fc1f039f73aa6d697d2db9ba7f803f17"
	if got := Sign(SHA1, "create", vectorQuery, vectorSecret); got != want {
		t.Errorf("got %s", got)
	}
	if got, want := Sign(SHA1, "getMeetings", "", vectorSecret), "checksum="+Checksum(SHA1, "getMeetings", "", vectorSecret); got != want {
		t.Errorf("empty query: %s, want %s", got, want)
	}
}

func TestParseAlgorithm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Algorithm{"sha1": SHA1, " SHA256 ": SHA256, "SHA-384": SHA384, "Sha512": SHA512} {
		if got, err := ParseAlgorithm(in); err != nil || got != want {
			t.Errorf("ParseAlgorithm(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "md5", "sha2", "sha25 6"} {
		if got, err := ParseAlgorithm(in); err == nil {
			t.Errorf("ParseAlgorithm(%q) = %q, want an error", in, got)
		}
	}
}

func TestStrongest(t *testing.T) {
	t.Parallel()
	rows := []struct {
		among []Algorithm
		want  Algorithm
	}{
		{nil, SHA256},
		{[]Algorithm{SHA1}, SHA1},
		{[]Algorithm{SHA512, SHA1}, SHA512},
		{[]Algorithm{SHA1, SHA384, SHA256}, SHA384},
	}
	for _, row := range rows {
		if got := Strongest(row.among); got != row.want {
			t.Errorf("Strongest(%v) = %s, want %s", row.among, got, row.want)
		}
	}
}
