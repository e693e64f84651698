package admin

import (
	"errors"
	"net/http"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
)

// What goes over the socket, on both sides: one path for each method of
// Service, JSON in and out, a failure as the JSON of Error.
const (
	pathInfo    = "/v1/info"
	pathServers = "/v1/servers"
	pathServer  = "/v1/servers/get"
	pathProbe   = "/v1/servers/probe"
	pathAdd     = "/v1/servers/add"
	pathUpdate  = "/v1/servers/update"
	pathRemove  = "/v1/servers/remove"
	pathPanic   = "/v1/servers/panic"
	pathSync    = "/v1/servers/sync"
	pathMeet    = "/v1/meetings"
	pathEnd     = "/v1/meetings/end"
	pathPoll    = "/v1/poll"
	pathSecrets = "/v1/secrets"
	pathRotate  = "/v1/secrets/rotate"
	pathExamine = "/v1/examine"
	pathBackup  = "/v1/backup"
	pathMetrics = "/metrics"
)

const (
	// versionHeader carries the version of the program, both ways.
	versionHeader = "Scalelite-Version"
	// resultTrailer ends a backup: resultComplete, or the JSON of an Error. A
	// transfer without it was cut.
	resultTrailer  = "Scalelite-Result"
	resultComplete = "complete"
)

// maxBody bounds a request in bytes: a sync of 200 servers has about 60,000.
const maxBody = 8 << 20

type nothing struct{}

type byID struct {
	ID string `json:"id"`
}

type probeRequest struct {
	URL    string     `json:"url"`
	Secret bbb.Secret `json:"secret"`
}

type updateRequest struct {
	ID     string                `json:"id"`
	Change balancer.ServerChange `json:"change"`
}

type panicRequest struct {
	ID      string                `json:"id"`
	Options balancer.PanicOptions `json:"options"`
}

type syncRequest struct {
	Servers []balancer.ServerSpec `json:"servers"`
	Mode    balancer.SyncMode     `json:"mode"`
	DryRun  bool                  `json:"dry_run"`
}

// endRequest ends all meetings only if it says so: an empty list may be a
// mistake.
type endRequest struct {
	IDs []string `json:"ids,omitempty"`
	All bool     `json:"all,omitempty"`
}

// failure is the answer of a call that failed. Result is what the call returned
// beside the error, if that tells something.
type failure struct {
	Code    Code   `json:"code"`
	Message string `json:"error"`
	Result  any    `json:"result,omitempty"`
}

// statusOf is for those who speak to the socket with curl; Client goes by the
// code.
func statusOf(c Code) int {
	switch c {
	case NotFound:
		return http.StatusNotFound
	case Invalid:
		return http.StatusBadRequest
	case Conflict:
		return http.StatusConflict
	case Refused:
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// asError returns err as an *Error, whatever it is.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Internal, err.Error()}
}
