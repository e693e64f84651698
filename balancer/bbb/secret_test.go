package bbb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const plain = "639259d4-9dd8"
	s := Secret(plain)
	record := struct{ Secret Secret }{s}
	hex := fmt.Sprintf("%x", plain)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20s"} {
		for _, value := range []any{s, record, []Secret{s}, map[string]Secret{"a": s}, &record} {
			got := fmt.Sprintf(verb, value)
			if strings.Contains(got, plain) || strings.Contains(strings.ToLower(got), hex) {
				t.Errorf("%s of %T shows the secret: %s", verb, value, got)
			}
			if !strings.Contains(got, "[secret]") {
				t.Errorf("%s of %T = %s, want [secret] in it", verb, value, got)
			}
		}
	}
	if got := fmt.Sprint(s) + fmt.Sprintln(s) + s.String() + s.GoString(); strings.Contains(got, plain) {
		t.Errorf("printed: %s", got)
	}
}

func TestSecretIsNeverLogged(t *testing.T) {
	t.Parallel()
	const plain = "639259d4-9dd8"
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		b.Reset()
		log := slog.New(h).With("with", Secret(plain))
		log.Info("added", "secret", Secret(plain), slog.Group("g", "secret", Secret(plain)))
		if strings.Contains(b.String(), plain) || strings.Count(b.String(), redacted) != 3 {
			t.Errorf("%T: %s", h, &b)
		}
	}
	text, err := Secret(plain).MarshalText()
	if err != nil || string(text) != redacted {
		t.Errorf("MarshalText = %s, %v", text, err)
	}
}

func TestSecretSurvivesJSON(t *testing.T) {
	t.Parallel()
	want := struct{ S Secret }{Secret(`a"b\c<é`)}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := want
	got.S = ""
	if err := json.Unmarshal(data, &got); err != nil || got != want {
		t.Errorf("through %s: %q, %v", data, got.S.Reveal(), err)
	}
}

func TestSecretFingerprint(t *testing.T) {
	t.Parallel()
	// printf %s abc | sha256sum
	if got := Secret("abc").Fingerprint(); got != "ba7816bf8f01cfea" {
		t.Errorf("Fingerprint = %s", got)
	}
}
