package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"scalelite/balancer/bbb"
)

// managementRequest are the attributes of a request by name, as JSON: those of
// the wrapper, those beside it, and the id of the signed query.
type managementRequest map[string]json.RawMessage

// readManagement reads the body of a request, of which each attribute counts
// once, the last time it comes. Attributes inside the wrapper count before those
// beside it, and the id of the query, which alone is signed, before both.
func readManagement(w http.ResponseWriter, r *http.Request, signed bbb.Params) (managementRequest, error) {
	request := managementRequest{}
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManagementBody))
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, &apiError{http.StatusRequestEntityTooLarge, "The request body is too large"}
		}
		if err != nil {
			return nil, &apiError{http.StatusBadRequest, "The request body could not be read"}
		}
		if request, err = decodeManagement(body); err != nil {
			return nil, err
		}
	}
	if id := signed.ID("id"); id != "" {
		text, err := json.Marshal(id)
		if err != nil {
			return nil, err
		}
		request["id"] = text
	}
	return request, nil
}

// decodeManagement reads a JSON object with or without the wrapper "server" or
// "tenant"; nothing at all is an object without attributes.
func decodeManagement(body []byte) (managementRequest, error) {
	request := managementRequest{}
	if len(bytes.TrimSpace(body)) == 0 {
		return request, nil
	}
	if err := json.Unmarshal(body, &request); err != nil || request == nil {
		return nil, &apiError{http.StatusBadRequest, "The request body must be a JSON object"}
	}
	for _, wrapper := range []string{"server", "tenant"} {
		text, has := request[wrapper]
		if !has || isNull(text) {
			continue
		}
		var inside managementRequest
		if err := json.Unmarshal(text, &inside); err != nil {
			return nil, &apiError{http.StatusBadRequest, wrapper + " must be a JSON object"}
		}
		delete(request, wrapper)
		for name, value := range inside {
			if !isNull(value) {
				request[name] = value
			}
		}
	}
	return request, nil
}

func isNull(text json.RawMessage) bool { return string(text) == "null" }

// lookup returns an attribute that is a string, number or boolean as text;
// null counts as not given, as does what is none of these.
func (r managementRequest) lookup(name string) (string, bool) {
	text := r[name]
	if len(text) == 0 {
		return "", false
	}
	switch text[0] {
	case '"':
		var s string
		err := json.Unmarshal(text, &s)
		return s, err == nil
	case 'n', '{', '[':
		return "", false
	}
	return string(text), true // a number, true or false
}

// text returns an attribute for a change: nil if it is not given, an error if
// it is an object or a list.
func (r managementRequest) text(name string) (*string, error) {
	if s, given := r.lookup(name); given {
		return &s, nil
	}
	if text := r[name]; len(text) > 0 && !isNull(text) {
		return nil, &apiError{http.StatusBadRequest, name + " must be a string"}
	}
	return nil, nil
}

// id is the id that a request names, "" if none.
func (r managementRequest) id() string {
	id, _ := r.lookup("id")
	return strings.TrimSpace(id)
}

// needID is id for the calls that are about one server.
func (r managementRequest) needID() (string, error) {
	if id := r.id(); id != "" {
		return id, nil
	}
	return "", &apiError{http.StatusBadRequest, "The request needs an id"}
}

var errMultiplier = &apiError{http.StatusBadRequest, "Load-multiplier must be a non-zero number"}

// multiplier reads load_multiplier, a number or its text; nil if it is not
// given.
func (r managementRequest) multiplier() (*float64, error) {
	text, err := r.text("load_multiplier")
	if err != nil {
		return nil, errMultiplier
	}
	if text == nil {
		return nil, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(*text), 64)
	if err != nil || n-n != 0 { // neither infinite nor NaN
		return nil, errMultiplier
	}
	return &n, nil
}

// flag reads a boolean, which may come as text or number; false if it is not
// given.
func (r managementRequest) flag(name string) (bool, error) {
	text, err := r.text(name)
	if err != nil || text == nil {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(*text)) {
	case "true", "1", "yes", "on":
		return true, nil
	case "", "false", "0", "no", "off":
		return false, nil
	}
	return false, &apiError{http.StatusBadRequest, name + " must be true or false"}
}
