package cmd

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers lists our packages from the bottom up. A package may import those above
// it in the list, and of its own layer only what stands before it.
var layers = []string{
	"scalelite/store/kv",
	"scalelite/store/kv/kvtest",
	"scalelite/store/kv/boltkv",
	"scalelite/balancer/bbb",
	"scalelite/balancer/bbbtest",
	"scalelite/systemd/bbbside",
	"scalelite/store",
	"scalelite/store/storetest",
	"scalelite/balancer",
	"scalelite/recordings/metadata/charset",
	"scalelite/recordings/caption",
	"scalelite/recordings/metadata",
	"scalelite/recordings/unpack",
	"scalelite/recordings",
	"scalelite/web/admin",
	"scalelite/web",
	"scalelite/cmd/config",
	"scalelite/cmd",
	"scalelite",
}

// fences name the only packages of ours that may import a library.
var fences = map[string][]string{
	"go.etcd.io/bbolt":                    {"scalelite/store/kv/boltkv"},
	"github.com/labstack/echo/v4":         {"scalelite/web"},
	"github.com/spf13/cobra":              {"scalelite/cmd"},
	"github.com/BurntSushi/toml":          {"scalelite/cmd/config"},
	"github.com/prometheus/client_golang": {"scalelite/web"},
}

// leaves import nothing of ours at all.
var leaves = []string{"scalelite/balancer/bbb", "scalelite/balancer/bbbtest", "scalelite/store/kv", "scalelite/systemd/bbbside"}

func TestImportsGoDownOnly(t *testing.T) {
	for pkg, imports := range listImports(t) {
		place := slices.Index(layers, pkg)
		if place < 0 {
			t.Errorf("package %s has no place in the layers: decide where it belongs", pkg)
			continue
		}
		for _, imported := range imports {
			if strings.HasPrefix(imported, "scalelite") && slices.Index(layers, imported) >= place {
				t.Errorf("%s imports %s, which lies above it", pkg, imported)
			}
			if strings.HasPrefix(imported, "scalelite") && slices.Contains(leaves, pkg) {
				t.Errorf("%s imports %s, but imports nothing of ours", pkg, imported)
			}
			for library, allowed := range fences {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(allowed, pkg) {
					t.Errorf("%s imports %s, which only %v may", pkg, imported, allowed)
				}
			}
		}
	}
}

// listImports returns what each package imports, tests left out.
func listImports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "scalelite/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 0 {
			all[words[0]] = words[1:]
		}
	}
	if len(all) < 5 {
		t.Fatalf("go list named only %d packages", len(all))
	}
	return all
}
