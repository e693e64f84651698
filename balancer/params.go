package balancer

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"scalelite/balancer/bbb"
)

// merged returns the parameters of a request as they are sent on: what the
// configuration sets as defaults, then the request, then what the configuration
// overrides.
func merged(request bbb.Params, defaults, overrides map[string]string) bbb.Params {
	p := request.Clone()
	p.Del("checksum")
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if _, given := p.Lookup(name); !given {
			p.Set(name, defaults[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		p.Set(name, overrides[name])
	}
	return p
}

// without removes the parameters that the configuration keeps from the servers.
func without(p bbb.Params, names []string) bbb.Params {
	for _, name := range names {
		p.Del(name)
	}
	return p
}

// Metadata that says whose a meeting is. BBB does not look at the case of its
// names.
const (
	tenantIDParam   = "meta_tenant-id"
	tenantNameParam = "meta_tenant-name"
)

// claimTenant makes the metadata say whose the meeting is, whatever the request
// said: the polls know a meeting again by it.
func claimTenant(p *bbb.Params, tenant string) {
	for _, name := range p.Names() {
		if strings.EqualFold(name, tenantIDParam) || strings.EqualFold(name, tenantNameParam) {
			p.Del(name)
		}
	}
	if tenant != "" {
		p.Set(tenantIDParam, tenant)
	}
}

// capDuration holds the duration, in minutes, to limit; 0 or less sets no limit.
// BBB takes a missing duration and 0 for "no end".
func capDuration(p *bbb.Params, limit int) {
	if limit <= 0 {
		return
	}
	minutes, err := strconv.Atoi(p.ID("duration"))
	if err != nil || minutes <= 0 || minutes > limit {
		p.Set("duration", strconv.Itoa(limit))
	}
}
