package bbb

import (
	"errors"
	"fmt"
)

// Reply is the XML answer of a BBB server, checked to be well-formed.
type Reply struct {
	// Body is the answer byte for byte, to be handed on. Everything else that
	// comes from a Reply may share its memory: it must not be changed.
	Body []byte
	// OK tells that the returncode is SUCCESS.
	OK bool
	// MessageKey and Message are "" where the server sent none. Of the list
	// form of errors they are those of the first.
	MessageKey, Message string
}

// ErrReply is wrapped by every error of ParseReply.
var ErrReply = errors.New("the answer is no XML of BBB")

var (
	errRoot     = errors.New("has another root element than <response>")
	errNoCode   = errors.New("has no returncode")
	errTwoCodes = errors.New("has more than one returncode")
)

// ParseReply reads the answer of a server: one well-formed XML document in
// UTF-8, without DOCTYPE, whose root is <response> and has a <returncode>. The
// error names the server and says what its answer looks like, in words that
// are bounded and printable, and wraps ErrReply. The Reply shares body's
// memory.
func ParseReply(server string, body []byte) (Reply, error) {
	reply, err := parseReply(body)
	if err != nil {
		return Reply{}, replyError{fmt.Sprintf("%s answered %s", server, describe(body, err))}
	}
	return reply, nil
}

type replyError struct{ text string }

// Error returns what the answer looks like.
func (e replyError) Error() string { return e.text }

// Unwrap returns ErrReply.
func (e replyError) Unwrap() error { return ErrReply }

// heading collects what every answer says about itself.
type heading struct {
	code, key, message         content // of the response
	errorKey, errorMessage     content // of the first error in a list
	seenCode, seenKey, seenMsg bool
	into                       *content
	depth                      int // of the element that into collects
}

func parseReply(body []byte) (Reply, error) {
	s, err := newScanner(body)
	if err != nil {
		return Reply{}, err
	}
	var h heading
	for {
		k, err := s.next()
		if err != nil {
			return Reply{}, err
		}
		switch k {
		case atEOF:
			return h.reply(body)
		case atStart:
			if err := h.start(s); err != nil {
				return Reply{}, err
			}
		case atText:
			if h.into != nil && h.depth == s.depth {
				h.into.add(s.text, s.literal)
			}
		case atEnd:
			if h.depth == s.depth {
				h.into, h.depth = nil, 0
			}
		}
	}
}

// start looks whether an element is one to collect.
func (h *heading) start(s *scanner) error {
	var c *content
	switch s.depth {
	case 1:
		if string(s.name()) != "response" {
			return errRoot
		}
	case 2:
		switch string(s.name()) {
		case "returncode":
			if h.seenCode {
				return errTwoCodes
			}
			c, h.seenCode = &h.code, true
		case "messageKey":
			if !h.seenKey {
				c, h.seenKey = &h.key, true
			}
		case "message":
			if !h.seenMsg {
				c, h.seenMsg = &h.message, true
			}
		}
	case 4:
		if string(s.names[1]) == "errors" && string(s.names[2]) == "error" {
			c = h.listed(string(s.name()))
		}
	}
	if c != nil {
		h.into, h.depth = c, s.depth
	}
	return nil
}

func (h *heading) listed(name string) *content {
	switch {
	case name == "key" && h.errorKey.pieces == 0:
		return &h.errorKey
	case name == "message" && h.errorMessage.pieces == 0:
		return &h.errorMessage
	}
	return nil
}

func (h *heading) reply(body []byte) (Reply, error) {
	code := h.code.bytes()
	if len(code) == 0 {
		return Reply{}, errNoCode
	}
	r := Reply{Body: body, OK: string(code) == "SUCCESS"}
	r.MessageKey, r.Message = string(h.key.bytes()), string(h.message.bytes())
	if r.MessageKey == "" {
		r.MessageKey = string(h.errorKey.bytes())
	}
	if r.Message == "" {
		r.Message = string(h.errorMessage.bytes())
	}
	return r, nil
}

// Field returns the text of the first child of the response that has this
// name, without the white space around it: "createTime", "running". "" if
// there is none.
func (r Reply) Field(name string) string {
	return textAt(r.Body, name)
}

// textAt returns the text of the first element at a path below the root.
func textAt(doc []byte, path ...string) string {
	s, err := newScanner(doc)
	if err != nil {
		return ""
	}
	var c content
	found := false
	for {
		k, err := s.next()
		switch {
		case err != nil || k == atEOF:
			return ""
		case k == atStart && !found && s.depth == len(path)+1:
			found = s.isAt(path)
		case k == atText && found && s.depth == len(path)+1:
			c.add(s.text, s.literal)
		case k == atEnd && found && s.depth == len(path)+1:
			return string(c.bytes())
		}
	}
}

// isAt tells whether the open elements below the root are those of path.
func (s *scanner) isAt(path []string) bool {
	for i, name := range path {
		if string(s.names[i+1]) != name {
			return false
		}
	}
	return true
}
