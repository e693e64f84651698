package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
)

// serverObject is a server in the shape of the Ruby system.
type serverObject struct {
	ID             string      `json:"id"`
	URL            string      `json:"url"`
	Secret         string      `json:"secret"` // the answer shows it: not for the log
	Tag            string      `json:"tag"`
	BBBVersion     string      `json:"bbb_version"`
	State          store.State `json:"state"`
	Load           any         `json:"load"` // a number, or "unavailable"
	LoadMultiplier string      `json:"load_multiplier"`
	Online         string      `json:"online"`
}

func objectOf(s balancer.ServerInfo) serverObject {
	o := serverObject{
		ID: s.ID, URL: s.URL, Secret: s.Secret.Reveal(), Tag: s.Tag, BBBVersion: s.BBBVersion, State: s.State,
		Load: "unavailable", LoadMultiplier: decimal(s.LoadMultiplier), Online: "offline",
	}
	if s.Load != nil {
		o.Load = *s.Load
	}
	if s.Online {
		o.Online = "online"
	}
	return o
}

// decimal writes a number with at least one digit behind the point.
func decimal(n float64) string {
	text := strconv.FormatFloat(n, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func (m *management) getServers(ctx context.Context, _ managementRequest) (int, any, error) {
	servers, err := m.pool.Servers(ctx)
	if err != nil {
		return 0, nil, err
	}
	if len(servers) == 0 {
		return 0, nil, &apiError{http.StatusNotFound, "No servers are configured"}
	}
	all := make([]serverObject, len(servers))
	for i, s := range servers {
		all[i] = objectOf(s)
	}
	return http.StatusOK, all, nil
}

func (m *management) getServerInfo(ctx context.Context, r managementRequest) (int, any, error) {
	s, err := m.pool.Server(ctx, r.id())
	return http.StatusOK, objectOf(s), err
}

func (m *management) addServer(ctx context.Context, r managementRequest) (int, any, error) {
	url, _ := r.lookup("url")
	secret, _ := r.lookup("secret")
	if strings.TrimSpace(url) == "" || strings.TrimSpace(secret) == "" {
		return 0, nil, &apiError{http.StatusBadRequest, "Server needs a URL and a secret"}
	}
	tag, err := r.text("tag")
	if err != nil {
		return 0, nil, err
	}
	n := balancer.NewServer{URL: url, Secret: bbb.Secret(secret)}
	if tag != nil {
		n.Tag = *tag
	}
	if text, given := r.lookup("load_multiplier"); !given || strings.TrimSpace(text) != "" {
		factor, err := r.multiplier()
		if err != nil {
			return 0, nil, err
		}
		if factor != nil {
			n.LoadMultiplier = *factor
		}
	}
	s, err := m.pool.AddServer(ctx, n)
	return http.StatusCreated, objectOf(s), err
}

func (m *management) updateServer(ctx context.Context, r managementRequest) (int, any, error) {
	id, err := r.needID()
	if err != nil {
		return 0, nil, err
	}
	if _, err := m.pool.Server(ctx, id); err != nil {
		return 0, nil, err
	}
	change, err := changeOf(r)
	if err != nil {
		return 0, nil, err
	}
	s, err := m.pool.UpdateServer(ctx, id, change)
	return http.StatusOK, objectOf(s), err
}

// changeOf reads what updateServer is to change.
func changeOf(r managementRequest) (balancer.ServerChange, error) {
	var c balancer.ServerChange
	var stateErr, multiplierErr, secretErr, tagErr error
	c.State, stateErr = stateOf(r)
	if c.LoadMultiplier, multiplierErr = r.multiplier(); c.LoadMultiplier != nil && *c.LoadMultiplier == 0 {
		multiplierErr = errMultiplier
	}
	secret, secretErr := r.text("secret")
	if secret != nil {
		s := bbb.Secret(*secret)
		c.Secret = &s
	}
	c.Tag, tagErr = r.text("tag")
	for _, err := range []error{stateErr, multiplierErr, secretErr, tagErr} {
		if err != nil {
			return balancer.ServerChange{}, err
		}
	}
	return c, nil
}

// stateOf reads the verb of updateServer; nil if it is not given.
func stateOf(r managementRequest) (*store.State, error) {
	text, given := r.lookup("state")
	if !given {
		if raw := r["state"]; len(raw) > 0 && !isNull(raw) {
			return nil, &apiError{http.StatusBadRequest, "Invalid state parameter: " + string(raw)}
		}
		return nil, nil
	}
	state, known := map[string]store.State{"enable": store.Enabled, "cordon": store.Cordoned, "disable": store.Disabled}[text]
	if !known {
		return nil, &apiError{http.StatusBadRequest, "Invalid state parameter: " + text}
	}
	return &state, nil
}

func (m *management) deleteServer(ctx context.Context, r managementRequest) (int, any, error) {
	id, err := r.needID()
	if err != nil {
		return 0, nil, err
	}
	if err := m.pool.RemoveServer(ctx, id); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]string{"success": fmt.Sprintf("Server id=%s was destroyed", id)}, nil
}

func (m *management) panicServer(ctx context.Context, r managementRequest) (int, any, error) {
	id, err := r.needID()
	if err != nil {
		return 0, nil, err
	}
	keep, err := r.flag("keep_state")
	if err != nil {
		return 0, nil, err
	}
	_, err = m.pool.PanicServer(ctx, id, balancer.PanicOptions{KeepState: keep})
	switch {
	case errors.Is(err, balancer.ErrNoSuchServer):
		return 0, nil, err
	case err != nil:
		m.log.Error("server could not be panicked", "server", id, "cause", err)
		return 0, nil, &apiError{http.StatusBadRequest, "Couldn't disable server id=" + id}
	}
	return http.StatusOK, map[string]string{
		"success": fmt.Sprintf("Server id=%s has been disabled and the meetings have been destroyed", id),
	}, nil
}
