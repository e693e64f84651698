package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// defaultMaintainer stands in the package unless a distributor names himself.
const defaultMaintainer = "The scalelite authors <scalelite@example.invalid>"

// pack makes one package.
type pack struct {
	source
	arch       string
	maintainer string
	log        io.Writer // what the tools say
}

// build makes the package in the directory dir and returns its path.
func (p pack) build(ctx context.Context, dir string) (string, error) {
	stage, err := os.MkdirTemp("", "scalelite-deb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(stage)
	if err := p.compile(ctx, filepath.Join(stage, "scalelite")); err != nil {
		return "", err
	}
	if err := p.generate(ctx, stage); err != nil {
		return "", err
	}
	name := filepath.Join(dir, "scalelite_"+p.version+"_"+p.arch+".deb")
	err = p.run(ctx, []string{
		"ARCH=" + p.arch, "VERSION=" + p.version, "MAINTAINER=" + p.maintainer, "STAGE=" + stage,
		"SOURCE_DATE_EPOCH=" + strconv.FormatInt(p.time.Unix(), 10),
	}, "go", "tool", "-modfile=nfpm.mod", "nfpm", "package",
		"--config", "systemd/deb/nfpm.yaml", "--packager", "deb", "--target", name)
	return name, err
}

// compile builds the program: static, without the paths and settings of this
// machine.
func (p pack) compile(ctx context.Context, name string) error {
	return p.run(ctx, []string{
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + p.arch, "GOAMD64=v1", "GOARM64=v8.0",
	}, "go", "build", "-trimpath", "-ldflags", "-s -w -X scalelite/cmd.version="+p.version, "-o", name, ".")
}

// run runs a tool in the root of the module.
func (p pack) run(ctx context.Context, env []string, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = p.root
	c.Env = append(neutralEnv(), env...)
	c.Stdout, c.Stderr = p.log, p.log
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return nil
}

// neutralEnv is the environment without what would change what Go builds.
func neutralEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		switch name {
		case "GOFLAGS", "GOEXPERIMENT", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOFIPS140", "CGO_ENABLED", "GOWORK":
			return true
		}
		return false
	})
}
