package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
)

// The YAML of the Ruby system's tasks servers:sync and servers:yaml, as its
// public pull request 645 describes it: a map "servers" from server ID to secret
// (required), url (default https://ID/bigbluebutton/api), enabled (default true)
// and load_multiplier (default 1.0). Some of its versions write the keys as
// symbols, ":secret:". The rest is ours; what is missing of that leaves an
// existing server as it is: tag, max_meetings, max_users, standby, and state,
// which stands for more than enabled can say.

// maxYAML bounds a file of servers, in bytes.
const maxYAML = 4 << 20

// parseServers reads a file of servers. It reports everything that is wrong,
// each problem with its line, and warnings about keys it does not know.
func parseServers(r io.Reader) (specs []balancer.ServerSpec, warnings []string, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxYAML+1))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxYAML {
		return nil, nil, errors.New("is larger than 4 MiB; that is no list of servers")
	}
	top := map[string]yaml.Node{}
	if err := yaml.Unmarshal(data, &top); err != nil {
		return nil, nil, errors.New(yamlMessage(err))
	}
	node, ok := plainKeys(top)["servers"]
	if !ok {
		return nil, nil, errors.New("has no key \"servers\"; 'scalelite servers export' shows what it should look like")
	}
	servers := map[string]yaml.Node{}
	if err := node.Decode(&servers); err != nil {
		return nil, nil, fmt.Errorf("line %d: servers is no map from id to server", node.Line)
	}
	p := &specParser{}
	for _, id := range slices.SortedFunc(maps.Keys(servers), func(a, b string) int {
		return cmp.Or(cmp.Compare(servers[a].Line, servers[b].Line), cmp.Compare(a, b))
	}) {
		specs = append(specs, p.server(strings.TrimPrefix(id, ":"), servers[id]))
	}
	if len(p.problems) > 0 {
		return nil, nil, errors.New(strings.Join(p.problems, "\n"))
	}
	return specs, p.warnings, nil
}

// yamlMessage is an error of the YAML decoder without what it quotes of the
// file, which may be a secret.
func yamlMessage(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if i := strings.IndexAny(text, "`\n"); i >= 0 {
		text = strings.TrimRight(text[:i], " :")
	}
	return "is no valid YAML: " + text
}

// plainKeys takes the colon off keys that are symbols of Ruby.
func plainKeys(m map[string]yaml.Node) map[string]yaml.Node {
	plain := map[string]yaml.Node{}
	for k, v := range m {
		plain[strings.TrimPrefix(k, ":")] = v
	}
	return plain
}

type specParser struct {
	problems, warnings []string
}

func (p *specParser) bad(line int, format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
}

// reported are keys that describe what a server did, which nobody can set.
var reported = [...]string{"id", "load", "online", "bbb_version", "healthy_counter", "unhealthy_counter"}

// server reads one server.
func (p *specParser) server(id string, node yaml.Node) balancer.ServerSpec {
	enabled, multiplier := true, 1.0
	s := balancer.ServerSpec{ID: id, Enabled: &enabled, LoadMultiplier: &multiplier}
	fields := map[string]yaml.Node{}
	if err := node.Decode(&fields); err != nil {
		p.bad(node.Line, "server %q is no map with secret, url, ...", id)
		return s
	}
	if strings.TrimSpace(id) == "" {
		p.bad(node.Line, "a server has no id")
	}
	fields = plainKeys(fields)
	for _, key := range slices.Sorted(maps.Keys(fields)) { // state comes after enabled
		p.field(&s, key, fields[key])
	}
	if strings.TrimSpace(s.Secret.Reveal()) == "" {
		p.bad(node.Line, "server %q has no secret", id)
	}
	if s.URL == "" {
		s.URL = "https://" + id + "/bigbluebutton/api"
	}
	return s
}

func (p *specParser) field(s *balancer.ServerSpec, key string, n yaml.Node) {
	switch key {
	case "url":
		s.URL, _ = p.text(s.ID, key, n)
	case "secret":
		text, _ := p.text(s.ID, key, n)
		s.Secret = bbb.Secret(text)
	case "enabled":
		decode(p, s.ID, key, n, "true or false", &s.Enabled)
	case "state":
		p.state(s, n)
	case "load_multiplier":
		decode(p, s.ID, key, n, "a number above 0", &s.LoadMultiplier)
		if m := *s.LoadMultiplier; !(m > 0) || math.IsInf(m, 0) {
			p.bad(n.Line, "server %q: load_multiplier must be a number above 0", s.ID)
		}
	case "tag":
		if tag, ok := p.text(s.ID, key, n); ok {
			s.Tag = &tag
		}
	case "max_meetings":
		decode(p, s.ID, key, n, "a whole number", &s.MaxMeetings)
	case "max_users":
		decode(p, s.ID, key, n, "a whole number", &s.MaxUsers)
	case "standby":
		decode(p, s.ID, key, n, "true or false", &s.Standby)
	default:
		if !slices.Contains(reported[:], key) {
			p.warnings = append(p.warnings, fmt.Sprintf("line %d: server %q: %s is not known and left out", n.Line, s.ID, strconv.Quote(key)))
		}
	}
}

// state reads what enabled cannot say: a cordoned server stays as it is.
func (p *specParser) state(s *balancer.ServerSpec, n yaml.Node) {
	text, _ := p.text(s.ID, "state", n)
	enabled := false
	switch strings.TrimPrefix(text, ":") {
	case "enabled", "enable":
		enabled = true
	case "disabled", "disable":
	case "cordoned", "cordon":
		s.Enabled = nil
		return
	default:
		p.bad(n.Line, "server %q: state must be enabled, cordoned or disabled", s.ID)
	}
	s.Enabled = &enabled
}

// text reads a scalar as the file has it: a secret of digits only is text too.
// Null is no text; ok tells.
func (p *specParser) text(id, key string, n yaml.Node) (text string, ok bool) {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = *n.Alias
	}
	switch {
	case n.Kind != yaml.ScalarNode:
		p.bad(n.Line, "server %q: %s must be text", id, key)
		return "", false
	case n.Tag == "!!null":
		return "", false
	case n.Tag == "!!binary":
		if err := n.Decode(&text); err != nil {
			p.bad(n.Line, "server %q: %s must be text", id, key)
			return "", false
		}
		return text, true
	}
	return n.Value, true
}

// decode sets *field to the value of n; null leaves it as it is.
func decode[T any](p *specParser, id, key string, n yaml.Node, want string, field **T) {
	if n.Tag == "!!null" {
		return
	}
	var v T
	if err := n.Decode(&v); err != nil {
		p.bad(n.Line, "server %q: %s must be %s", id, key, want)
		return
	}
	*field = &v
}

// writeServers writes servers as parseServers reads them: what differs from
// what a missing key means, or with verbose everything.
func writeServers(w io.Writer, servers []balancer.ServerInfo, verbose bool) error {
	all := mapping()
	for _, s := range servers {
		if s.Secret == "" {
			return fmt.Errorf("the secret of %s was not handed out", label(s))
		}
		n := mapping()
		add(n, "url", text(s.URL))
		add(n, "secret", text(s.Secret.Reveal()))
		if s.State != store.Enabled || verbose {
			add(n, "enabled", scalar("!!bool", strconv.FormatBool(s.State == store.Enabled)))
		}
		if s.State == store.Cordoned {
			add(n, "state", text(string(s.State)))
		}
		if s.LoadMultiplier != 1 || verbose {
			add(n, "load_multiplier", scalar("!!float", floatText(s.LoadMultiplier)))
		}
		if s.Tag != "" || verbose {
			add(n, "tag", text(s.Tag))
		}
		if s.MaxMeetings != 0 || verbose {
			add(n, "max_meetings", scalar("!!int", strconv.Itoa(s.MaxMeetings)))
		}
		if s.MaxUsers != 0 || verbose {
			add(n, "max_users", scalar("!!int", strconv.Itoa(s.MaxUsers)))
		}
		if s.Standby || verbose {
			add(n, "standby", scalar("!!bool", strconv.FormatBool(s.Standby)))
		}
		add(all, s.ID, n)
	}
	top := mapping()
	add(top, "servers", all)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	return errors.Join(enc.Encode(top), enc.Close())
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// text is a scalar in double quotes, so that no reader of an older YAML takes
// yes, 1_000 or 12:30 for something else than text.
func text(s string) *yaml.Node {
	var n yaml.Node
	n.SetString(s)
	if n.Tag != "!!binary" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return &n
}

func add(m *yaml.Node, key string, value *yaml.Node) {
	var k yaml.Node
	k.SetString(key)
	m.Content = append(m.Content, &k, value)
}

func floatText(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
