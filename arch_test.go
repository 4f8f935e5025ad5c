package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// allowed says which of our packages a package may import, by folder; a folder stands for what is below it as well. The
// most exact folder counts. Tests may import more: what they check is often two rooms together.
var allowed = map[string][]string{
	"directory":             {"directory/hours"},
	"directory/hours":       {},
	"directory/taxonomy":    {"directory"},
	"directory/demo":        {"directory"},
	"directory/transfer":    {"directory", "directory/hours"},
	"directory/sqlitestore": {"directory"},
	"directory/mongostore":  {"directory"},
	"directory/storetest":   {"directory"},
	"directory/subscribed":  {"directory", "publicnet"}, // fetches calendars of other servers
	"directory/links":       {"directory", "publicnet"}, // asks whether pages of other servers are there
	"geo":                   {"directory", "directory/hours"},
	"geo/basemap":           {},
	"geo/staticmap":         {"geo/basemap"},
	"geo/geocode":           {"directory"},
	"search":                {"directory", "search"},
	"federation":            {"directory", "federation", "publicnet"},
	"federation/islands":    {"directory", "directory/taxonomy", "federation", "publicnet"},
	"publicnet":             {}, // the one way to a server that a stranger names: of federation, and of subscribed calendars
	"frontend":              {},
	"api":                   {"directory", "directory/hours", "directory/taxonomy", "directory/transfer", "geo", "geo/basemap", "geo/staticmap", "geo/geocode", "search", "frontend", "directory/subscribed", "directory/links", "api", "api/archipelago", "api/fediverse", "api/echoes"},
	// The operator's pages show agreements and hosts as federation keeps them: the same types twice, behind an interface, would
	// only be longer. The rest of api knows federation by small interfaces.
	"api/archipelago": {"directory", "directory/taxonomy", "geo", "geo/geocode", "frontend", "federation", "federation/islands", "api"},
	"api/fediverse":   {"directory", "frontend", "federation", "api"},
	"api/echoes":      {"directory", "directory/transfer", "frontend", "federation", "api"}, // replies and guests, as federation keeps them
	"scripts":         {"directory", "geo", "search", "frontend", "federation", "scripts"},
}

// TestDirectionOfImports keeps the rooms of the house apart: geo, search, federation and the stores know the directory and
// not one another, the frontend knows nobody, api composes, main wires.
func TestDirectionOfImports(t *testing.T) {
	checked := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "data" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(file))
		if dir == "." {
			return nil // main wires
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		checked++
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(imported, "archipel/"); ok && !mayImport(dir, ours) {
				t.Errorf("%s imports %s, which its room may not", file, ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 50 {
		t.Errorf("only %d files were looked at", checked)
	}
}

func mayImport(dir, imported string) bool {
	room := dir
	for room != "." && allowed[room] == nil {
		room = path.Dir(room)
	}
	if room == "." {
		return false // a new top-level folder needs its line in the table
	}
	if imported == room || strings.HasPrefix(imported, room+"/") && allowed[imported] == nil {
		return true // within the room
	}
	for _, ok := range allowed[room] {
		// A folder of the table with a line of its own is not part of the one above it.
		if imported == ok || strings.HasPrefix(imported, ok+"/") && allowed[imported] == nil || (ok == "search" || ok == "federation" || ok == "geo" || ok == "directory") && room == "scripts" && strings.HasPrefix(imported, ok+"/") {
			return true
		}
	}
	return false
}
