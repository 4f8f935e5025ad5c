package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestBuilt says whether frontend/dist is what the sources make, twice over: the build must not depend on when or where.
func TestBuilt(t *testing.T) {
	if testing.Short() {
		t.Skip("installs npm packages the first time: left out by -short")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no npm here")
	}
	root, err := filepath.Abs("../../frontend")
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	modules, err := install(root, os.Getenv("ARCHIPEL_NPM_CACHE"), &said)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err, said.String())
		}
		t.Skipf("the npm packages cannot be had: %v", err)
	}
	files, err := build(root, modules)
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(filepath.Join(root, "dist"), files); err != nil {
		t.Error(err)
	}

	elsewhere := t.TempDir()
	if err := os.CopyFS(elsewhere, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	again, err := build(elsewhere, modules)
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(filepath.Join(root, "dist"), again); err != nil {
		t.Errorf("built in another folder: %v", err)
	}
}

// TestInstallAtOnce: several who want the packages at the same moment all get them whole, also where one was killed before.
func TestInstallAtOnce(t *testing.T) {
	root, cache, bin := t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// It fails where another one is at work, and takes its time.
	npm := "#!/bin/sh\nmkdir node_modules || exit 1\nsleep 0.2\necho whole >node_modules/package\n"
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(npm), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	var wg sync.WaitGroup
	want := func() {
		modules, err := install(root, cache, io.Discard)
		if err != nil {
			t.Error(err)
			return
		}
		if b, err := os.ReadFile(filepath.Join(modules, "package")); err != nil || string(b) != "whole\n" {
			t.Errorf("got %q, %v", b, err)
		}
	}
	for range 4 {
		wg.Go(want)
	}
	wg.Wait()
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("left are %v, %v", left, err)
	}
	if err := os.Remove(filepath.Join(left[0], ".done")); err != nil {
		t.Fatal(err)
	}
	want()
}

func TestCompareAndWrite(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{"a.css": []byte("a"), "b.js": []byte("b")}
	if err := write(dir, files, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if err := compare(dir, files); err != nil {
		t.Errorf("just written: %v", err)
	}
	err := compare(dir, map[string][]byte{"a.css": []byte("A"), "c.js": nil})
	if err == nil || !strings.Contains(err.Error(), "a.css differs") || !strings.Contains(err.Error(), "b.js is not built any more") || !strings.Contains(err.Error(), "c.js is missing") {
		t.Errorf("got %v, want the three differences", err)
	}
	if err := write(dir, map[string][]byte{"c.js": []byte("c")}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left %v, want only the new file", left)
	}
}

func TestJoinPaths(t *testing.T) {
	for in, want := range map[string]string{
		`<path d="M1 2h3"/><path d="M4 5v6"/>`:                      `<path d="M1 2h3M4 5v6"/>`,
		`<path d="M1 2h3"/><path d="m8 2 1.88 1.88"/>`:              `<path d="M1 2h3M8 2l1.88 1.88"/>`,
		`<path d="m8-2-1 1"/>`:                                      `<path d="M8 -2l-1 1"/>`,
		`<path d="m5 12 7-7 7 7"/><circle r="1"/><path d="M1 1z"/>`: `<path d="M5 12l7-7 7 7"/><circle r="1"/><path d="M1 1z"/>`,
		`<path d="M1 1z" fill="none"/><path d="M2 2z"/>`:            `<path d="M1 1z" fill="none"/><path d="M2 2z"/>`,
		`<path d="m12 3h2"/>`:                                       `<path d="M12 3h2"/>`,
	} {
		if got := joinPaths(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestUnknownFlag(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-no-such"}, &out, &out); err == nil {
		t.Error("an unknown flag is taken")
	}
	if err := run([]string{"-dir", t.TempDir()}, &out, &out); err == nil {
		t.Error("a folder without package-lock.json is taken")
	}
}
