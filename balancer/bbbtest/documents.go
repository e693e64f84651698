package bbbtest

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Document is one slide file that came with create or insertDocument.
type Document struct {
	// Name is the name attribute of an embedded file.
	Name string
	// URL and Filename are the attributes of a file to be fetched. It is not.
	URL, Filename string
	// Current is the attribute as sent, empty if it was not.
	Current string
	// Bytes are the contents of an embedded file, decoded.
	Bytes []byte
}

// insert adds the documents of an XML body to the meeting.
func (m *meeting) insert(body []byte) {
	m.DocumentError = ""
	docs, err := parseDocuments(body)
	m.Documents = append(m.Documents, docs...)
	m.Documents = m.Documents[max(len(m.Documents)-maxDocuments, 0):]
	if err != nil {
		m.DocumentError = err.Error()
	}
}

// parseDocuments reads the presentation modules of an XML body. Those before an
// error are returned with it.
func parseDocuments(body []byte) ([]Document, error) {
	type element struct {
		Attrs []xml.Attr `xml:",any,attr"`
		Text  string     `xml:",chardata"`
	}
	dec := xml.NewDecoder(bytes.NewReader(body))
	var docs []Document
	var presentation bool
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return docs, fmt.Errorf("read documents: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name.Local == "module" {
			presentation = attr(start.Attr, "name") == "presentation"
		}
		if start.Name.Local != "document" || !presentation {
			continue
		}
		var e element
		if err := dec.DecodeElement(&e, &start); err != nil {
			return docs, fmt.Errorf("read document %d: %w", len(docs)+1, err)
		}
		doc, err := newDocument(e.Attrs, e.Text)
		if err != nil {
			return docs, fmt.Errorf("read document %d: %w", len(docs)+1, err)
		}
		docs = append(docs, doc)
	}
}

func newDocument(attrs []xml.Attr, text string) (Document, error) {
	doc := Document{
		Name:     attr(attrs, "name"),
		URL:      attr(attrs, "url"),
		Filename: attr(attrs, "filename"),
		Current:  attr(attrs, "current"),
	}
	if doc.URL != "" {
		return doc, nil
	}
	contents, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	doc.Bytes = contents
	return doc, err
}

func attr(attrs []xml.Attr, name string) string {
	for _, a := range attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// insertDocument adds slides to a meeting. Its answers lack the message key,
// and without a body there is no answer to speak of: the real server's handler
// returns before it has written one.
func (s *Server) insertDocument(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if err := checkMeetingID(c.params); err != nil {
		return failed(err)
	}
	m := s.newest[c.get("meetingID")]
	if m == nil || m.ended {
		return failed(&apiError{message: "Meeting with id [" + c.get("meetingID") + "] not found."})
	}
	for f := range strings.SplitSeq(m.Params.Get("disabledFeatures"), ",") {
		if strings.TrimSpace(f) == "presentation" {
			return failed(&apiError{message: "Presentation feature is disabled, ignoring."})
		}
	}
	if len(c.body) == 0 {
		a := success(nil)
		a.body = nil
		return a
	}
	m.insert(c.body)
	return success(func(d *document) { d.text("message", "Presentation is being uploaded") })
}
