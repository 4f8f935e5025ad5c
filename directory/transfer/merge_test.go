package transfer

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"archipel/directory"
)

const mergeHead = "id,nom,résumé,site,tags,lat,lon,tél\n"

func row1(nom, resume, site, tags, lat, tel string) string {
	return mergeHead + strings.Join([]string{"1", nom, resume, site, tags, lat, "4", tel}, ",") + "\n"
}

// The rule, case by case: what the source has not changed stays as it is here.
func TestMergeWithLocalEdits(t *testing.T) {
	first := row1("A", "un", "a.example", "x;y", "45", "")
	tests := map[string]struct {
		edit      func(*directory.Entry)
		file      string
		get       func(directory.Entry) any
		want      any
		updated   bool
		code      string
		codeField string
	}{
		"the source changed, nobody here": {
			func(e *directory.Entry) {}, row1("A", "deux", "a.example", "x;y", "45", ""),
			func(e directory.Entry) any { return e.Summary }, "deux", true, "", "",
		},
		"somebody here, not the source": {
			func(e *directory.Entry) { e.Summary = "ici" }, first,
			func(e directory.Entry) any { return e.Summary }, "ici", false, CodeKeptLocal, "summary",
		},
		"both": {
			func(e *directory.Entry) { e.Summary = "ici" }, row1("A", "deux", "a.example", "x;y", "45", ""),
			func(e directory.Entry) any { return e.Summary }, "deux", true, CodeOverwritten, "summary",
		},
		"both, the same": {
			func(e *directory.Entry) { e.Summary = "deux" }, row1("A", "deux", "a.example", "x;y", "45", ""),
			func(e directory.Entry) any { return e.Summary }, "deux", false, "", "",
		},
		"another field": {
			func(e *directory.Entry) { e.Description = "ici" }, row1("A", "deux", "a.example", "x;y", "45", ""),
			func(e directory.Entry) any { return e.Description }, "ici", true, "", "",
		},
		"filled in here, empty at the source": {
			func(e *directory.Entry) { e.Contact.Phone = "04 77 00 00 00" }, row1("A", "deux", "a.example", "x;y", "45", ""),
			func(e directory.Entry) any { return e.Contact.Phone }, "04 77 00 00 00", true, "", "",
		},
		"emptied at the source": {
			func(e *directory.Entry) {}, row1("A", "", "a.example", "x;y", "45", ""),
			func(e directory.Entry) any { return e.Summary }, "", true, "", "",
		},
		"emptied at the source, edited here": {
			func(e *directory.Entry) { e.Summary = "ici" }, row1("A", "", "a.example", "x;y", "45", ""),
			func(e directory.Entry) any { return e.Summary }, "ici", false, CodeKeptLocal, "summary",
		},
		"lists are merged": {
			func(e *directory.Entry) { e.Tags = []string{"x", "y", "ici"} }, row1("A", "un", "a.example", "y;z", "45", ""),
			func(e directory.Entry) any { return e.Tags }, []string{"y", "ici", "z"}, true, "", "",
		},
		"a pin moved by hand stays": {
			func(e *directory.Entry) { e.Sites[0][0] = 4.25 }, first,
			func(e directory.Entry) any { return e.Sites[0][0] }, 4.25, false, CodeKeptLocal, "position",
		},
		"a column that is not there any more": {
			func(e *directory.Entry) {}, "id,nom\n1,B\n",
			func(e directory.Entry) any { return e.Summary + e.Name }, "unB", true, "", "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			counts(t, mustImport(t, d, first, ImportOptions{}), 1, 0, 0, 0)
			edit(t, d, "A", tt.edit)
			r := mustImport(t, d, tt.file, ImportOptions{})
			if (r.Updated == 1) != tt.updated || r.Failed+r.Created > 0 {
				t.Errorf("got %+v, want updated %v", r, tt.updated)
			}
			for _, e := range all(t, d) {
				if got := tt.get(e); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}
			if tt.code != "" && !has(r.Warnings, tt.code, tt.codeField) || tt.code == "" && len(r.Warnings) > 0 {
				t.Errorf("warnings: got %v, want %q about %q", r.Warnings, tt.code, tt.codeField)
			}
			// And once more: the same file says nothing new.
			if again := mustImport(t, d, tt.file, ImportOptions{}); again.Unchanged != 1 {
				t.Errorf("the same file again: got %+v, want unchanged", again)
			}
		})
	}
}

// A local edit survives any number of imports, also when other fields are updated between.
func TestLocalEditSurvivesManyImports(t *testing.T) {
	d := newDirectory(t)
	mustImport(t, d, row1("A", "un", "a.example", "", "45", ""), ImportOptions{})
	edit(t, d, "A", func(e *directory.Entry) { e.Summary = "ici" })
	for _, site := range []string{"b.example", "c.example", "d.example"} {
		r := mustImport(t, d, row1("A", "un", site, "", "45", ""), ImportOptions{})
		if e := all(t, d)["A"]; e.Summary != "ici" || e.Contact.Website != "https://"+site || r.Updated != 1 {
			t.Fatalf("got %q, %q, %+v", e.Summary, e.Contact.Website, r)
		}
	}
	mustImport(t, d, row1("A", "trois", "d.example", "", "45", ""), ImportOptions{})
	if e := all(t, d)["A"]; e.Summary != "trois" {
		t.Errorf("what the source changes is taken over: got %q", e.Summary)
	}
}

func TestRemovedHereStaysRemoved(t *testing.T) {
	d := newDirectory(t)
	file := row1("A", "un", "", "", "45", "")
	mustImport(t, d, file, ImportOptions{})
	edit(t, d, "A", func(e *directory.Entry) { e.Status = directory.Removed })
	r := mustImport(t, d, file, ImportOptions{})
	counts(t, r, 0, 0, 0, 1)
	if !has(r.LeftOut, CodeRemovedHere, "") || len(all(t, d)) != 0 {
		t.Errorf("got %v and %v", r.LeftOut, all(t, d))
	}
}

// What was merged is not made again by importing it again: the entry that took the record over follows the source, and one
// that has a source of its own is left alone.
func TestMergedStaysMerged(t *testing.T) {
	ctx := context.Background()
	d := newDirectory(t)
	mustImport(t, d, row1("A", "un", "", "", "45", ""), ImportOptions{Source: "s"})
	first := all(t, d)["A"]
	merge := func(kept, other directory.Entry) {
		t.Helper()
		if _, err := d.Merge(ctx, directory.Merge{Author: "account:mod", Kept: kept.ID, Other: other.ID, KeptVersion: kept.Version, OtherVersion: other.Version}); err != nil {
			t.Fatal(err)
		}
	}
	ours, err := d.Put(ctx, "account:alice", directory.Entry{Kind: directory.Place, Name: "Chez A", Status: directory.Published})
	if err != nil {
		t.Fatal(err)
	}
	merge(ours, first)
	r := mustImport(t, d, row1("A", "deux", "", "", "45", ""), ImportOptions{Source: "s"})
	counts(t, r, 0, 1, 0, 0)
	if now := all(t, d); len(now) != 1 || now["A"].ID != ours.ID && now["Chez A"].ID != ours.ID {
		t.Fatalf("the entry that took the record over does not follow its source: %+v", now)
	}
	// Another source has the same place under a key of its own.
	mustImport(t, d, row1("A bis", "un", "", "", "45", ""), ImportOptions{Source: "other"})
	var kept directory.Entry
	for _, e := range all(t, d) {
		if e.ID == ours.ID {
			kept = e
		}
	}
	merge(kept, all(t, d)["A bis"])
	for _, id := range []directory.ID{first.ID, ours.ID} { // and when everything is read again
		r = mustImport(t, d, row1("A bis", "trois", "", "", "45", ""), ImportOptions{Source: "other"})
		counts(t, r, 0, 0, 1, 0)
		if !has(r.Warnings, CodeMergedHere, "status") || len(all(t, d)) != 1 {
			t.Errorf("%s: got %v and %v", id, r.Warnings, all(t, d))
		}
	}
}

// An export that comes back edited updates the entries that it came from, whoever made them.
func TestExportEditedAndImportedBack(t *testing.T) {
	ctx := context.Background()
	d := newDirectory(t)
	made, err := d.Put(ctx, "account:alice", directory.Entry{Kind: directory.Place, Name: "Chez Alice", Summary: "un", Tags: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := Export(ctx, d, NewCSV(&out, ExportOptions{}), nil); err != nil {
		t.Fatal(err)
	}
	edit(t, d, "Chez Alice", func(e *directory.Entry) { e.Description = "ajouté depuis" })
	file := strings.Replace(out.String(), ",un,", ",deux,", 1)
	r := mustImport(t, d, file, ImportOptions{Source: "tableur"})
	counts(t, r, 0, 1, 0, 0)
	e := all(t, d)["Chez Alice"]
	if e.ID != made.ID || e.Summary != "deux" || e.Description != "ajouté depuis" || e.Version == made.Version {
		t.Errorf("got %+v", e)
	}
}

// So does a part of one: a spreadsheet with three of its columns.
func TestPartOfAnExportImportedBack(t *testing.T) {
	ctx := context.Background()
	d := newDirectory(t)
	made, err := d.Put(ctx, "account:alice", directory.Entry{
		Kind: directory.Organisation, Name: "Chez Alice", Lang: "oc", Licence: "CC0-1.0", Summary: "un", Source: &directory.Source{Name: "ici", ExternalID: "7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := "id,name,summary\n" + string(made.ID) + ",Chez Alice,deux\n" + string(directory.NewID()) + ",Ailleurs,x\n"
	r := mustImport(t, d, file, ImportOptions{Source: "tableur", Lang: "fr", Licence: "etalab-2.0", Kind: directory.Place})
	counts(t, r, 1, 1, 0, 0)
	want := made
	want.Summary = "deux"
	got := all(t, d)["Chez Alice"]
	want.Version, want.Updated = got.Version, got.Updated
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	counts(t, mustImport(t, d, file, ImportOptions{Source: "tableur", Lang: "fr", Kind: directory.Place}), 0, 0, 2, 0)
	// Without a source only what is here can be told.
	r = mustImport(t, d, strings.Replace(file, "deux", "trois", 1), ImportOptions{Mapping: &Mapping{}})
	if counts(t, r, 0, 1, 0, 1); !has(r.LeftOut, directory.CodeRequired, "source") {
		t.Errorf("left out: %v", r.LeftOut)
	}
}
