// Command frontend builds what browsers load: the stylesheets, the island, the
// icons, and a manifest of their hashed names, into frontend/dist.
//
//	go run ./scripts/frontend          builds
//	go run ./scripts/frontend -check   fails when frontend/dist is out of date
//	go run ./scripts/frontend -types   checks the types of the island with tsc
//
// The npm packages of frontend/package-lock.json are installed once into the
// user's cache folder (-cache). Equal input gives equal output, byte by byte.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "frontend:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("frontend", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", "frontend", "folder of the frontend")
	cache := flags.String("cache", os.Getenv("ARCHIPEL_NPM_CACHE"), "folder for the npm packages (default: the user's cache folder)")
	check := flags.Bool("check", false, "only tell whether the built files are up to date")
	types := flags.Bool("types", false, "only check the types of the island")
	modules := flags.Bool("modules", false, "only install the npm packages and print their folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	nodeModules, err := install(root, *cache, stderr)
	if err != nil {
		return err
	}
	switch {
	case *modules:
		_, err := fmt.Fprintln(stdout, nodeModules)
		return err
	case *types:
		return checkTypes(root, nodeModules, stdout, stderr)
	}
	files, err := build(root, nodeModules)
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist")
	if *check {
		return compare(dist, files)
	}
	return write(dist, files, stdout)
}

// install makes the locked npm packages available and returns their node_modules folder.
func install(root, cache string, stderr io.Writer) (string, error) {
	lock, err := os.ReadFile(filepath.Join(root, "package-lock.json"))
	if err != nil {
		return "", err
	}
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			base = os.TempDir()
		}
		cache = filepath.Join(base, "archipel-npm")
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, hex.EncodeToString(sum[:6]))
	done := filepath.Join(dir, ".done")
	if _, err := os.Stat(done); err == nil {
		return filepath.Join(dir, "node_modules"), nil
	}
	// Several may do this at once, as tests of several packages do: each in a folder of its own, and the first one's is kept.
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	own, err := os.MkdirTemp(cache, "installing-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(own)
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(own, name), b, 0o644); err != nil {
			return "", err
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir, cmd.Stdout, cmd.Stderr = own, stderr, stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("npm ci in %s: %w", own, err)
	}
	if err := os.WriteFile(filepath.Join(own, ".done"), nil, 0o644); err != nil {
		return "", err
	}
	if err = os.Chmod(own, 0o755); err == nil {
		err = os.Rename(own, dir)
	}
	if _, there := os.Stat(done); err != nil && there != nil { // what is there is not whole
		if err = os.RemoveAll(dir); err == nil {
			err = os.Rename(own, dir)
		}
		if _, there = os.Stat(done); there == nil {
			err = nil
		}
		if err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "node_modules"), nil
}

// checkTypes runs tsc on a copy beside the packages: TypeScript only finds
// packages in a node_modules folder above the sources.
func checkTypes(root, nodeModules string, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp(filepath.Dir(nodeModules), "types-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(filepath.Join(dir, "island"), os.DirFS(filepath.Join(root, "island"))); err != nil {
		return err
	}
	config, err := os.ReadFile(filepath.Join(root, "tsconfig.json"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "tsconfig.json"), config, 0o644); err != nil {
		return err
	}
	cmd := exec.Command("node", filepath.Join(nodeModules, "typescript", "bin", "tsc"), "--noEmit", "-p", dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, stdout, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("tsc: %w", err)
	}
	return nil
}

// compare reports every file of dist that a build would change.
func compare(dist string, files map[string][]byte) error {
	have, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	var wrong []string
	for _, f := range have {
		if _, ok := files[f.Name()]; !ok {
			wrong = append(wrong, f.Name()+" is not built any more")
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dist, name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			wrong = append(wrong, name+" is missing")
		case err != nil:
			return err
		case !bytes.Equal(got, want):
			wrong = append(wrong, name+" differs")
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("frontend/dist is out of date, run `go run ./scripts/frontend`:\n  %s", strings.Join(wrong, "\n  "))
	}
	return nil
}

func write(dist string, files map[string][]byte, stdout io.Writer) error {
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	old, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	for _, f := range old {
		if _, ok := files[f.Name()]; !ok {
			if err := os.Remove(filepath.Join(dist, f.Name())); err != nil {
				return err
			}
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dist, name), files[name], 0o644); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%8d  %8d gz  %s\n", len(files[name]), gzipped(files[name]), name)
	}
	return nil
}
