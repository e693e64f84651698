package bbb

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a secret shared with a front-end or a server. Printing it with any
// verb of fmt, logging it or marshalling it as text gives "[secret]"; only
// Reveal and MarshalJSON give the secret itself.
//
// JSON is the form in which records are kept, so there the secret must
// survive. Hence a struct that holds a Secret is no log attribute: slog's JSON
// handler would marshal it. Nor can fmt redact a Secret in an unexported field
// of a struct that is printed whole, for it may not call methods there.
type Secret string

const redacted = "[secret]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Fingerprint returns the first 16 hex digits of the secret's SHA-256: enough
// to find the secret again among those that are known, without keeping it.
func (s Secret) Fingerprint() string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// String returns "[secret]".
func (s Secret) String() string { return redacted }

// GoString returns "[secret]".
func (s Secret) GoString() string { return redacted }

// Format writes "[secret]" whatever the verb, so that %x does not leak either.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[secret]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[secret]": text encoders write for people.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns the secret itself as a JSON string: see the type.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(string(s)) }
