package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/recordings/caption"
	"scalelite/store"
)

// trackType is the type of the answers of the text track calls.
const trackType = "application/json"

// jsonAnswer is the answer of the text track calls, the only ones in JSON.
type jsonAnswer struct {
	ReturnCode string       `json:"returncode"`
	MessageKey string       `json:"messageKey,omitempty"`
	Message    string       `json:"message,omitempty"`
	RecordID   string       `json:"recordId,omitempty"`
	Tracks     *[]jsonTrack `json:"tracks,omitempty"`
}

// jsonTrack is one text track.
type jsonTrack struct {
	Href   string `json:"href"`
	Kind   string `json:"kind"`
	Label  string `json:"label"`
	Lang   string `json:"lang"`
	Source string `json:"source"`
}

// refusedTrack is a FAILED answer in JSON.
type refusedTrack struct{ key, message string }

func (r *refusedTrack) Error() string { return r.key + ": " + r.message }

func (s *Server) trackCalls() []call {
	return []call{
		{name: "getRecordingTextTracks", off: s.jsonIfOff, offJSON: true, handle: s.inJSON(s.getTextTracks)},
		{name: "putRecordingTextTrack", postOnly: true, file: true, off: s.jsonIfOff, offJSON: true, handle: s.inJSON(s.putTextTrack)},
	}
}

// jsonIfOff answers while recordings are switched off.
func (s *Server) jsonIfOff() []byte {
	if s.library != nil {
		return nil
	}
	return trackAnswer(jsonAnswer{ReturnCode: "FAILED", MessageKey: "noRecordings", Message: "No recording found"})
}

func trackAnswer(a jsonAnswer) []byte {
	// Strings and lists of them only: this cannot fail.
	out, _ := json.Marshal(map[string]jsonAnswer{"response": a})
	return out
}

// inJSON answers with JSON, a refusal too. What goes wrong inside is an XML
// error like that of every call.
func (s *Server) inJSON(do func(c echo.Context, r balancer.Request) (jsonAnswer, error)) func(echo.Context, balancer.Request) error {
	return func(c echo.Context, r balancer.Request) error {
		a, err := do(c, r)
		if e := (*refusedTrack)(nil); errors.As(err, &e) {
			c.Set(refusedKey, true)
			s.observe(c, r.Call, refused, err)
			drain(c.Request(), err)
			a, err = jsonAnswer{ReturnCode: "FAILED", MessageKey: e.key, Message: e.message}, nil
		}
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, trackType, trackAnswer(a))
	}
}

// getTextTracks lists the text tracks of a recording.
func (s *Server) getTextTracks(c echo.Context, r balancer.Request) (jsonAnswer, error) {
	id := r.Params.ID("recordID")
	if id == "" {
		return jsonAnswer{}, bbb.ErrMissingRecordID
	}
	found, err := s.library.Tracks(c.Request().Context(), nil, id)
	switch {
	case errors.Is(err, recordings.ErrNotFound):
		return jsonAnswer{}, &refusedTrack{"noRecordings", "No recording found for " + id}
	case err != nil:
		return jsonAnswer{}, bbb.ErrInternal.With(err)
	case len(found) == 0:
		return jsonAnswer{}, &refusedTrack{"noCaptionsFound", "No captions found for " + id}
	}
	tokens, err := s.trackTokens(c.Request().Context(), id, found)
	if err != nil {
		return jsonAnswer{}, bbb.ErrInternal.With(err)
	}
	tracks := make([]jsonTrack, 0, len(found))
	for i, t := range found {
		href := s.baseURL(c) + "/presentation/" + id + "/" + t.File
		if tokens != nil {
			href += "?token=" + tokens[i]
		}
		tracks = append(tracks, jsonTrack{Href: href, Kind: t.Kind, Label: t.Label, Lang: t.Lang, Source: t.Source})
	}
	return jsonAnswer{ReturnCode: "SUCCESS", Tracks: &tracks}, nil
}

// trackTokens makes a token for each text track of a protected recording; none if
// it is not protected.
func (s *Server) trackTokens(ctx context.Context, id string, tracks []caption.Track) (tokens []string, err error) {
	r, err := s.playable(ctx, "presentation", id)
	if isNotFound(err) || err == nil && !r.Protected {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for range tracks {
		tokens = append(tokens, newToken())
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		for i, t := range tracks {
			token := store.PlayToken{Token: tokens[i], RecordID: id, Format: trackToken(t.File), Expires: tx.Now.Add(s.recordingsConfig().TokenTTL)}
			if err := tx.PutPlayToken(token); err != nil {
				return err
			}
		}
		return nil
	})
	return tokens, err
}

// putTextTrack adds a text track. The parameters are signed in the query; the
// file is the field "file" of the body.
func (s *Server) putTextTrack(c echo.Context, r balancer.Request) (jsonAnswer, error) {
	id, kind, lang := r.Params.ID("recordID"), r.Params.ID("kind"), r.Params.ID("lang")
	switch {
	case id == "":
		return jsonAnswer{}, &refusedTrack{"paramError", "Missing param recordID."}
	case kind == "":
		return jsonAnswer{}, &refusedTrack{"paramError", "Missing param kind."}
	case !caption.ValidKind(kind):
		return jsonAnswer{}, &refusedTrack{"invalidKind", fmt.Sprintf("Invalid kind parameter, expected='subtitles|captions' actual=%s", kind)}
	case lang == "":
		return jsonAnswer{}, &refusedTrack{"paramError", "Missing param lang."}
	case !caption.ValidLanguage(lang):
		return jsonAnswer{}, &refusedTrack{"invalidLang", "Malformed lang param, received=" + lang}
	}
	data, err := trackFile(c)
	if err != nil {
		return jsonAnswer{}, err
	}
	track := caption.Track{Lang: lang, Kind: kind, Label: r.Params.Get("label"), Source: "upload"}
	err = s.library.PutTrack(lasting(c), nil, id, track, data)
	switch {
	case errors.Is(err, recordings.ErrNotFound):
		return jsonAnswer{}, &refusedTrack{"noRecordings", "No recording was found for " + id}
	case errors.Is(err, caption.ErrEmpty):
		return jsonAnswer{}, errEmptyTrack
	case err != nil:
		s.log.Error("text track not stored", "addr", c.RealIP(), "recording", id, "cause", err)
		return jsonAnswer{}, errTrackFailed
	}
	return jsonAnswer{ReturnCode: "SUCCESS", MessageKey: "upload_text_track_success", Message: "Text track uploaded successfully", RecordID: id}, nil
}

// maxTrackBody leaves room around a text track for what makes it a field.
const maxTrackBody = recordings.MaxTrack + 64<<10

// trackFile reads the field "file" of a multipart body.
func trackFile(c echo.Context) ([]byte, error) {
	r := c.Request()
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != typeMultipart || r.Body == http.NoBody {
		return nil, errEmptyTrack
	}
	body := multipart.NewReader(http.MaxBytesReader(c.Response(), r.Body, maxTrackBody), params["boundary"])
	for {
		part, err := body.NextPart()
		if err == io.EOF { // wrapped, it is the end of a form that was cut
			return nil, errEmptyTrack
		}
		if err != nil {
			return nil, unreadTrack(err)
		}
		if part.FormName() != "file" {
			continue
		}
		data, err := io.ReadAll(part)
		switch {
		case err != nil:
			return nil, unreadTrack(err)
		case len(data) == 0:
			return nil, errEmptyTrack
		case len(data) > recordings.MaxTrack:
			return nil, errTrackTooLarge
		}
		return data, nil
	}
}

// unreadTrack is the answer to a body that could not be read.
func unreadTrack(err error) error {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return errTrackTooLarge
	}
	return errTrackFailed
}

var (
	errEmptyTrack    = &refusedTrack{"empty_uploaded_text_track", "Empty uploaded text track."}
	errTrackFailed   = &refusedTrack{"upload_text_track_failed", "Text track upload failed."}
	errTrackTooLarge = &refusedTrack{"upload_text_track_failed", fmt.Sprintf("A text track must not be larger than %d MiB.", recordings.MaxTrack>>20)}
)
