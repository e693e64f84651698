package sshspool

import (
	"errors"
	"strings"
)

const (
	maxCommand = 8 << 10 // bytes of a command line, or of arguments that follow it
	maxWords   = 64
)

var (
	errTooLong = errors.New("the command is too long")
	errShell   = errors.New("the command has characters that only a shell understands")
)

// shellOnly are characters that mean something to a shell. No command that is
// taken here needs them.
const shellOnly = "|&;<>()$`\"*?[]{}#~!\n\r\t\x00"

// splitWords splits a command line where a shell would: rsync puts a backslash
// before what a shell could take for its own, older ones nothing. There is no
// shell behind it; what only one could understand is refused.
func splitWords(line string) ([]string, error) {
	if len(line) > maxCommand {
		return nil, errTooLong
	}
	var words []string
	var word strings.Builder
	started, escaped, quoted := false, false, false
	for i := range len(line) {
		c := line[i]
		switch {
		case c < ' ' || c == 0x7f:
			return nil, errShell
		case escaped:
			escaped = false
			word.WriteByte(c)
		case c == '\'':
			quoted, started = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '\\':
			escaped, started = true, true
		case c == ' ':
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		case strings.IndexByte(shellOnly, c) >= 0:
			return nil, errShell
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if escaped || quoted {
		return nil, errShell
	}
	if started {
		words = append(words, word.String())
	}
	if len(words) > maxWords {
		return nil, errTooLong
	}
	return words, nil
}
