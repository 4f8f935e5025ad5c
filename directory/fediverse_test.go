package directory_test

import (
	"errors"
	"strings"
	"testing"

	"archipel/directory"
)

func organisation(name string) directory.Entry {
	e := place(name)
	e.Kind, e.Status = directory.Organisation, directory.Published
	return e
}

// refusal is the field and the code of the only problem.
func refusal(err error) string {
	var invalid directory.Invalid
	if !errors.As(err, &invalid) || len(invalid) != 1 {
		return ""
	}
	return invalid[0].Field + " " + invalid[0].Code
}

// TestHandleIsForEver: a handle is chosen by a team only, once, and is nobody else's ever after.
func TestHandleIsForEver(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	write := func(op directory.Op, e directory.Entry) (directory.Entry, error) {
		t.Helper()
		outcomes, err := d.Write(t.Context(), directory.Write{Author: "test", Op: op, Entries: []directory.Entry{e}})
		if err != nil {
			t.Fatal(err)
		}
		return outcomes[0].Entry, outcomes[0].Err
	}
	must := func(e directory.Entry, err error) directory.Entry {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := organisation("La Fourmilière")
	e.Fediverse = &directory.Fediverse{Handle: "la-fourmiliere"}
	if e = must(write("", e)); e.Fediverse != nil {
		t.Fatal("a new entry has a handle that no team chose")
	}
	before := e.Version
	for _, op := range []directory.Op{"", directory.OpUpdate, directory.OpMerge, directory.OpRevert} {
		e.Name, e.Fediverse = e.Name+"!", &directory.Fediverse{Handle: "la-fourmiliere"}
		if e = must(write(op, e)); e.Fediverse != nil {
			t.Errorf("%q chooses a handle", op)
		}
	}
	e.Fediverse = &directory.Fediverse{Handle: " @La-Fourmiliere ", Discoverable: true, AlsoKnownAs: []string{"https://ailleurs.example/@fourmi"}}
	e = must(write(directory.OpTeam, e))
	if e.Fediverse.Handle != "la-fourmiliere" || e.Fediverse.ActorType() != "Group" {
		t.Fatalf("%+v", e.Fediverse)
	}
	if id, ok := d.ByHandle("LA-fourmiliere"); !ok || id != e.ID {
		t.Errorf("ByHandle = %s, %v", id, ok)
	}
	// Nothing takes it away or changes it.
	changed := e.Clone()
	changed.Fediverse.Handle = "autre"
	if _, err := write(directory.OpTeam, changed); refusal(err) != "fediverse.handle immutable" {
		t.Errorf("another handle: %v", err)
	}
	changed = e.Clone()
	changed.Fediverse, changed.Name = nil, "Fourmis"
	e = must(write(directory.OpTeam, changed))
	if e.Fediverse == nil || !e.Fediverse.Discoverable {
		t.Errorf("the handle went: %+v", e.Fediverse)
	}
	if e = must(d.Revert(t.Context(), "test", e.ID, before, e.Version, "")); e.Fediverse == nil || e.Fediverse.Handle != "la-fourmiliere" {
		t.Errorf("an old version took the handle away: %+v", e.Fediverse)
	}
	// Nobody else gets it: not while it is there, not in the same write, not once it is removed, not once it is erased.
	take := func(when string) {
		t.Helper()
		for _, other := range []string{"la-fourmiliere", "LA-FOURMILIERE"} {
			o := must(write("", organisation("Autre "+when)))
			o.Fediverse = &directory.Fediverse{Handle: other}
			if _, err := write(directory.OpTeam, o); refusal(err) != "fediverse.handle taken" {
				t.Errorf("%s: %s: %v", when, other, err)
			}
		}
	}
	take("beside it")
	a, b := must(write("", organisation("A"))), must(write("", organisation("B")))
	a.Fediverse, b.Fediverse = &directory.Fediverse{Handle: "jumelles"}, &directory.Fediverse{Handle: "jumelles"}
	outcomes, err := d.Write(t.Context(), directory.Write{Author: "test", Op: directory.OpTeam, Entries: []directory.Entry{a, b}})
	if err != nil || outcomes[0].Err != nil || refusal(outcomes[1].Err) != "fediverse.handle taken" {
		t.Errorf("two in one write: %v %v %v", err, outcomes[0].Err, outcomes[1].Err)
	}
	e.Status = directory.Removed
	e = must(write("", e))
	take("removed")
	if err := d.Redact(t.Context(), "test", e.ID); err != nil {
		t.Fatal(err)
	}
	take("erased")
	again, err := directory.Open(t.Context(), directory.Options{Store: d.Store()})
	if err != nil {
		t.Fatal(err)
	}
	d = again
	take("erased, after a start")
	// An entry of another island has the handles of that island.
	foreign := organisation("Ailleurs")
	foreign.Origin, foreign.Fediverse = "island.example", &directory.Fediverse{Handle: "la-fourmiliere"}
	if foreign = must(write("", foreign)); foreign.Fediverse == nil {
		t.Error("a mirrored entry lost its handle")
	}
	if id, ok := d.ByHandle("jumelles"); !ok || id != a.ID {
		t.Errorf("ByHandle = %s, %v", id, ok)
	}
}

func TestHandles(t *testing.T) {
	for handle, code := range map[string]string{
		"la-fourmiliere": "", "a_b": "", "123": "", strings.Repeat("a", 30): "", "relais": "",
		"": directory.CodeRequired, "ab": directory.CodeInvalid, strings.Repeat("a", 31): directory.CodeInvalid, "-ab": directory.CodeInvalid, "ab_": directory.CodeInvalid, "fourmilière": directory.CodeInvalid,
		"a.b": directory.CodeInvalid, "a b": directory.CodeInvalid, "a@b": directory.CodeInvalid, "<script>": directory.CodeInvalid, "abc\n": directory.CodeInvalid, "аbc": directory.CodeInvalid,
		"relay": directory.CodeTaken, "mirror": directory.CodeTaken, "admin": directory.CodeTaken, "ad-min": directory.CodeTaken, "no_reply": directory.CodeTaken,
	} {
		e := organisation("x")
		e.Fediverse = &directory.Fediverse{Handle: handle}
		want := ""
		if code != "" {
			want = "fediverse.handle " + code
		}
		if got := refusal(directory.Validate(&e, directory.Rules{})); got != want {
			t.Errorf("%q: %q, want %q", handle, got, want)
		}
	}
	e := place("x")
	e.Status = directory.Published
	e.Fediverse = &directory.Fediverse{Handle: "un-lieu"}
	if got := refusal(directory.Validate(&e, directory.Rules{})); got != "fediverse "+directory.CodeNotHere {
		t.Errorf("a place: %q", got)
	}
	e.Kind = directory.Organisation
	for field, f := range map[string]directory.Fediverse{
		"fediverse.type": {Type: "Person"}, "fediverse.alsoKnownAs[0]": {AlsoKnownAs: []string{"javascript:alert(1)"}},
		"fediverse.movedTo": {MovedTo: "ftp://x"}, "fediverse.alsoKnownAs": {AlsoKnownAs: make([]string, 6)},
	} {
		f.Handle = "abc"
		e.Fediverse = &f
		if got := refusal(directory.Validate(&e, directory.Rules{})); !strings.HasPrefix(got, field+" ") {
			t.Errorf("%s: %q", field, got)
		}
	}
}

func TestSuggestHandle(t *testing.T) {
	for name, want := range map[string]string{
		"La Fourmilière": "la-fourmiliere", "L'Établi — coopérative d'activité et d'emploi de la Loire": "l-etabli-cooperative-d", "日本": "", "Admin": "", "Ça": "",
		strings.Repeat("x", 60): strings.Repeat("x", 30),
	} {
		got := directory.SuggestHandle(name)
		if want != got && !(name[0] == 'L' && directory.HandleForm.MatchString(got) && strings.HasPrefix(got, want)) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
