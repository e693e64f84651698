package config

import (
	"errors"
	"strings"

	"github.com/BurntSushi/toml"
)

// syntaxProblem explains a file that is no TOML, with the place shown. An
// excerpt that would show a secret is left out, and so is the decoder's
// message, which may quote the value.
func syntaxProblem(file, src string, err error) error {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return Problems{{File: file, Text: err.Error()}}
	}
	p := Problem{File: file, Line: pe.Position.Line}
	if nearSecret(src, pe.Position.Line) || isSecretName(pe.LastKey) {
		p.Text = "is no valid TOML; look at the quotes and brackets of this line and the one before (it is not shown because of the secret)"
		return Problems{p}
	}
	_, excerpt, _ := strings.Cut(pe.ErrorWithPosition(), "\n\nAt line ")
	_, excerpt, _ = strings.Cut(excerpt, "\n\n")
	p.Text = "is no valid TOML: " + pe.Message
	if excerpt = strings.TrimRight(excerpt, "\n"); excerpt != "" {
		p.Text += "\n\n" + excerpt + "\n"
	}
	return Problems{p}
}

// nearSecret tells whether a secret may stand on one of the lines that an
// excerpt at line shows: it goes up from each to the key it belongs to.
func nearSecret(src string, line int) bool {
	lines := strings.Split(src, "\n")
	shown := 3
	for i := min(line, len(lines)) - 1; i >= 0; i-- {
		shown--
		name, _, isKey := strings.Cut(lines[i], "=")
		if isKey && isSecretName(name) {
			return true
		}
		if shown <= 0 && (isKey || strings.HasPrefix(strings.TrimSpace(lines[i]), "[")) {
			return false
		}
	}
	return false
}

// isSecretName tells by the name alone, since in a broken file nothing else is
// certain.
func isSecretName(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"secret", "password", "token"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}
