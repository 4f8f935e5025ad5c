package directory_test

import (
	"testing"
	"time"

	"archipel/directory"
)

// TestClaimedIsOnlyTheTeams: whatever writes an entry of ours, only a change of its team changes since when it is kept.
func TestClaimedIsOnlyTheTeams(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	since := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	write := func(op directory.Op, e directory.Entry) directory.Entry {
		t.Helper()
		outcomes, err := d.Write(t.Context(), directory.Write{Author: "test", Op: op, Entries: []directory.Entry{e}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
		return outcomes[0].Entry
	}
	e := place("La Fourmilière")
	e.Claimed = since
	if e = write("", e); !e.Claimed.IsZero() {
		t.Fatalf("a new entry is claimed: %v", e.Claimed)
	}
	unclaimed := e.Version
	for _, op := range []directory.Op{"", directory.OpUpdate, directory.OpMerge, directory.OpRevert} {
		e.Name, e.Claimed = e.Name+"!", since
		if e = write(op, e); !e.Claimed.IsZero() {
			t.Errorf("%q claims it: %v", op, e.Claimed)
		}
	}
	e.Claimed = since
	if e = write(directory.OpTeam, e); !e.Claimed.Equal(since) {
		t.Fatalf("its team cannot claim it: %v", e.Claimed)
	}
	for _, op := range []directory.Op{"", directory.OpMerge} {
		e.Name, e.Claimed = e.Name+"!", time.Time{}
		if e = write(op, e); !e.Claimed.Equal(since) {
			t.Errorf("%q takes the claim away: %v", op, e.Claimed)
		}
	}
	back, err := d.Revert(t.Context(), "test", e.ID, unclaimed, e.Version, "")
	if err != nil || !back.Claimed.Equal(since) || back.Name != "La Fourmilière" {
		t.Errorf("going back in the text: %v %+v", err, back)
	}
	back.Claimed = time.Time{}
	if back = write(directory.OpTeam, back); !back.Claimed.IsZero() {
		t.Errorf("its team cannot give it back: %v", back.Claimed)
	}
	// What another island says of its own entries is taken as it is.
	mirrored := place("Ailleurs")
	mirrored.Origin, mirrored.Claimed = "island.example", since
	if mirrored = write("", mirrored); !mirrored.Claimed.Equal(since) {
		t.Errorf("a mirrored entry lost its claim: %v", mirrored.Claimed)
	}
}
