// Command archipel serves a federated territorial directory with a map.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // events keep their time zone on machines without one
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "archipel:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "archipel:", err)
		os.Exit(1)
	}
}

// errUsage marks a command line that makes no sense.
var errUsage = errors.New("see archipel help")

// command is one of the things that the program does.
type command struct {
	name, args, about string
	run               func(ctx context.Context, env *environment, args []string) error
}

// environment is what a command may touch outside itself.
type environment struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	now            func() time.Time
}

func commands() []command {
	return []command{
		{"serve", "[-demo]", "serve the directory (the default)", serve},
		{"import", "FILE", "bring entries in from a CSV or GeoJSON file", importFile},
		{"export", "[FILE]", "write entries as GeoJSON, CSV or JSON-LD", exportFile},
		{"backup", "FILE", "write everything, log included, to one file", backup},
		{"restore", "FILE", "rebuild an empty directory from a backup", restore},
		{"site", "[KEY=VALUE ...]", "show or change the name, territory and texts of the directory", siteCommand},
		{"account", "VERB", "create, list, role, link or delete accounts (-mail, -role, -name)", accountCommand},
		{"reindex", "", "build the search index anew; searching goes on meanwhile", reindex},
		{"federation", "VERB", "say who may follow, block servers, see how they fare", federationCommand},
		{"islands", "VERB", "agree with other directories to show one another's entries", islandsCommand},
		{"geocode", "", "find positions for entries that have an address and none", geocodeCommand},
		{"health", "", "ask a running server whether it is ready", health},
		{"version", "", "print the version", func(_ context.Context, env *environment, _ []string) error {
			_, err := fmt.Fprintln(env.stdout, "archipel", version())
			return err
		}},
	}
}

// run is the whole program: it returns when the command is done, or ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	return runIn(ctx, &environment{getenv: getenv, stdout: stdout, stderr: stderr, now: time.Now}, args)
}

func runIn(ctx context.Context, env *environment, args []string) error {
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	if name == "help" || len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") && name == "serve" {
		return help(env.stdout)
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, env, args)
		}
	}
	return fmt.Errorf("no command %q: %w", name, errUsage)
}

func help(w io.Writer) error {
	var b strings.Builder
	b.WriteString("archipel is a federated territorial directory with a map.\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-28s %s\n", strings.TrimSpace(c.name+" "+c.args), c.about)
	}
	b.WriteString("\nOptions, as a flag or in the environment (flag > environment > file given with -config > default):\n")
	for _, o := range options {
		fmt.Fprintf(&b, "  -%-12s %-22s %s", o.name, o.env, o.about)
		if o.value != "" {
			fmt.Fprintf(&b, " (default %s)", o.value)
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n\"archipel COMMAND -h\" lists the options of a command.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// version is the module's version, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
