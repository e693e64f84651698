package bbbtest

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strconv"
)

// document builds one XML answer. Text is always escaped; element names come
// from this package or have passed isName.
type document struct {
	buf bytes.Buffer
}

func (d *document) open(name string)  { d.buf.WriteString("<" + name + ">") }
func (d *document) close(name string) { d.buf.WriteString("</" + name + ">") }

// text writes an element with text in it.
func (d *document) text(name, value string) {
	d.open(name)
	// Writing to a bytes.Buffer cannot go wrong. Characters that XML does not
	// have come out as U+FFFD.
	_ = xml.EscapeText(&d.buf, []byte(value))
	d.close(name)
}

// optional writes an element unless its text is empty.
func (d *document) optional(name, value string) {
	if value != "" {
		d.text(name, value)
	}
}

func (d *document) int(name string, value int64) { d.text(name, strconv.FormatInt(value, 10)) }
func (d *document) bool(name string, value bool) { d.text(name, strconv.FormatBool(value)) }

// response builds a whole answer: fill writes what follows the return code.
func response(returncode string, fill func(*document)) *answer {
	var d document
	d.open("response")
	d.text("returncode", returncode)
	if fill != nil {
		fill(&d)
	}
	d.close("response")
	return &answer{
		status: http.StatusOK,
		header: http.Header{
			"Content-Type":  {"text/xml;charset=utf-8"},
			"Cache-Control": {"no-cache"},
		},
		body: d.buf.Bytes(),
	}
}

func success(fill func(*document)) *answer { return response("SUCCESS", fill) }

// failed is a refusal: status 200 and a return code, as BigBlueButton has it.
func failed(e *apiError) *answer {
	return response("FAILED", func(d *document) {
		if e.list {
			d.open("errors")
			d.open("error")
			d.text("key", e.key)
			d.text("message", e.message)
			d.close("error")
			d.close("errors")
			return
		}
		d.optional("messageKey", e.key)
		d.text("message", e.message)
	})
}

// isName tells whether s can be an element name without further thought.
func isName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || (r < '0' || r > '9') && r != '-' && r != '.') {
			return false
		}
	}
	return s != ""
}
