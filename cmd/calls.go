package cmd

import (
	"strings"

	"scalelite/web"
	"scalelite/web/admin"
)

// serverCalls tells the operator of the last call of each server about its
// recordings.
func (s *service) serverCalls() map[string]admin.Call {
	calls := map[string]admin.Call{}
	for server, call := range s.web.ServerCalls() {
		calls[server] = admin.Call{Time: call.Time, Ours: strings.HasPrefix(call.Agent, web.Agent)}
	}
	return calls
}
