// Command build makes the Debian packages of scalelite:
//
//	go run ./systemd/build [--arch amd64,arm64] [--version V] [--out DIR]
//
// The same sources and the same version of Go give the same bytes on every
// machine: the time in a package is SOURCE_DATE_EPOCH, else that of the last
// commit. It prints the path of each package. What a package holds is listed in
// systemd/deb/nfpm.yaml; this command makes what is not in the sources, and runs
// nfpm, which nfpm.mod pins.
//
// Its tests with the build tag e2e look into the packages, and try them on clean
// Debian systems:
//
//	go test -tags e2e -timeout 40m ./systemd/build
//
// It may import cmd alone, for what is made from the command tree.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// architectures are those that packages are made for, in the words of Go, which
// are those of Debian here.
var architectures = [...]string{"amd64", "arm64"}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	archs := flags.String("arch", strings.Join(architectures[:], ","), "architectures, separated by commas")
	version := flags.String("version", "", "version of the package (default: from the last tag and the commit)")
	out := flags.String("out", "dist", "directory for the packages")
	maintainer := flags.String("maintainer", defaultMaintainer, "who answers for the package, as NAME <ADDRESS>")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	src, err := describeSource(ctx, root, *version)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for arch := range strings.SplitSeq(*archs, ",") {
		if !slices.Contains(architectures[:], arch) {
			return fmt.Errorf("architecture %q: only %s", arch, strings.Join(architectures[:], " and "))
		}
		p := pack{source: src, arch: arch, maintainer: *maintainer, log: stderr}
		name, err := p.build(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		fmt.Fprintln(stdout, name)
	}
	return nil
}
