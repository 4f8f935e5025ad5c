package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"archipel/directory"
)

func testRedact(t *testing.T, b Backend) {
	place := b.New(t)
	s := b.open(t, place)
	secret, other := Full(t), Full(t)
	for i := range 4 {
		c := changesOf(head(t, s), directory.OpUpdate, secret, other)
		c[0].Note, c[1].Note, c[0].Batch = fmt.Sprint("note ", i), "kept", "import"
		putChanges(t, s, c)
	}
	before := all(t, s)
	stands := one(t, s, secret.ID)

	n, err := s.Redact(background, secret.ID, 5) // of 1, 3, 5, 7
	if err != nil || n != 3 {
		t.Fatalf("Redact = %d, %v: want 3", n, err)
	}
	if n, err := s.Redact(background, secret.ID, 5); err != nil || n != 0 {
		t.Errorf("Redact again = %d, %v: want 0", n, err)
	}
	if n, err := s.Redact(background, directory.NewID(), 100); err != nil || n != 0 {
		t.Errorf("Redact of an unknown entry = %d, %v: want 0", n, err)
	}
	for _, s := range []directory.Store{s, b.open(t, place)} {
		log := all(t, s)
		for i, c := range log {
			want := before[i]
			if i == 0 || i == 2 || i == 4 {
				want.Redacted, want.Note = true, ""
				want.Entry = directory.Entry{ID: want.Entry.ID, Kind: want.Entry.Kind, Origin: want.Entry.Origin, Status: want.Entry.Status, Version: want.Entry.Version}
			}
			if d := Diff(c, want); d != "" {
				t.Errorf("change %d after Redact: %s", c.Seq, d)
			}
		}
		if h, err := s.History(background, secret.ID, 0, 10); err != nil || len(h) != 4 || h[0].Redacted || !h[1].Redacted {
			t.Errorf("History after Redact = %d changes, %v", len(h), err)
		}
		if d := Diff(one(t, s, secret.ID), stands); d != "" {
			t.Errorf("Redact touched the projection: %s", d)
		}
	}
	// Up to the newest change too, the projection stays.
	if n, err := s.Redact(background, secret.ID, 7); err != nil || n != 1 {
		t.Errorf("Redact of the newest = %d, %v: want 1", n, err)
	}
	if d := Diff(one(t, b.open(t, place), secret.ID), stands); d != "" {
		t.Errorf("Redact of the newest change touched the projection: %s", d)
	}
	// A redacted change can be written again, as restoring a backup does.
	r := b.fresh(t)
	putChanges(t, r, all(t, s))
	for i, c := range all(t, r) {
		if c.Redacted != (i%2 == 0) {
			t.Errorf("restored change %d: redacted %v", c.Seq, c.Redacted)
		}
	}
}

func testEntries(t *testing.T, b Backend) {
	s := b.fresh(t)
	es := names(600)
	putMany(t, s, es)
	var ids []directory.ID
	for i := range 250 { // backwards, every other one unknown
		ids = append(ids, es[len(es)-1-i].ID, directory.NewID())
	}
	got, err := s.Entries(background, ids)
	if err != nil || len(got) != 250 {
		t.Fatalf("Entries of 500 ids = %d, %v: want 250", len(got), err)
	}
	for i := range got {
		if got[i].ID != es[len(es)-1-i].ID || got[i].Name != es[len(es)-1-i].Name {
			t.Fatalf("Entries[%d] = %s %q, want %s", i, got[i].ID, got[i].Name, es[len(es)-1-i].ID)
		}
	}
	for _, id := range []directory.ID{"", "not a uuid", "' OR 1=1 --", `{"$gt":""}`} {
		if got, err := s.Entries(background, []directory.ID{id}); err != nil || len(got) != 0 {
			t.Errorf("Entries(%q) = %d, %v: want none", id, len(got), err)
		}
	}
}

func testScan(t *testing.T, b Backend) {
	s := b.fresh(t)
	es := names(2345)
	slices.Reverse(es) // the order of IDs is not that of writing
	putMany(t, s, es)
	got := scan(t, s, "")
	if len(got) != len(es) || got[0].ID != es[len(es)-1].ID {
		t.Fatalf("Scan gave %d entries from %s, want %d from %s", len(got), got[0].ID, len(es), es[len(es)-1].ID)
	}
	if rest := scan(t, s, got[1000].ID); len(rest) != len(es)-1001 || rest[0].ID != got[1001].ID {
		t.Errorf("Scan after the 1001st gave %d entries, want %d", len(rest), len(es)-1001)
	}
	if rest := scan(t, s, got[len(got)-1].ID); len(rest) != 0 {
		t.Errorf("Scan after the last gave %d entries", len(rest))
	}
	stop, calls := errors.New("enough"), 0
	err := s.Scan(background, "", func([]directory.Entry) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Scan with a failing fn = %v after %d calls: want its error after 1", err, calls)
	}
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	calls = 0
	err = s.Scan(ctx, "", func([]directory.Entry) error { calls++; cancel(); return nil })
	wantErr(t, "Scan cancelled in fn", err, context.Canceled)
	// fn may use the store.
	err = s.Scan(background, "", func(es []directory.Entry) error {
		put(t, s, directory.OpUpdate, es[0])
		_, err := s.Entries(background, []directory.ID{es[0].ID})
		return err
	})
	if err != nil {
		t.Errorf("Scan whose fn writes: %v", err)
	}
}

func testCursors(t *testing.T, b Backend) {
	place := b.New(t)
	s := b.open(t, place)
	if at, err := s.Cursor(background, "search"); at != 0 || err != nil {
		t.Errorf("Cursor never saved = %d, %v", at, err)
	}
	for _, at := range []directory.Seq{7, 7, 1 << 52, 3, 0} {
		for _, name := range []string{"search", "peer:https://île.example/inbox?a=$b.c"} {
			if err := s.SaveCursor(background, name, at); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Cursor(background, name); got != at || err != nil {
				t.Errorf("Cursor(%s) = %d, %v: want %d", name, got, err, at)
			}
		}
	}
	s.SaveCursor(background, "search", 42)
	if got, err := b.open(t, place).Cursor(background, "search"); got != 42 || err != nil {
		t.Errorf("Cursor after reopening = %d, %v: want 42", got, err)
	}
}

func testSettings(t *testing.T, b Backend) {
	place := b.New(t)
	s := b.open(t, place)
	if v, rev, err := s.Setting(background, "name"); v != nil || rev != 0 || err != nil {
		t.Errorf("absent Setting = %q, %d, %v", v, rev, err)
	}
	if keys, err := s.Settings(background); len(keys) != 0 || err != nil {
		t.Errorf("Settings of an empty store = %v, %v", keys, err)
	}
	one, two := []byte(`{"fr": "Île", "$set": {"a.b": 1.50, "big": 9007199254740993}}`), []byte("[]")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.PutSetting(background, "name", one, 0))
	v, rev, err := s.Setting(background, "name")
	must(err)
	if string(v) != string(one) || rev == 0 {
		t.Errorf("Setting = %s, %d: want %s, byte for byte", v, rev, one)
	}
	wantErr(t, "creating it again", s.PutSetting(background, "name", two, 0), directory.ErrStale)
	wantErr(t, "a revision that never was", s.PutSetting(background, "name", two, rev+1), directory.ErrStale)
	wantErr(t, "updating what is absent", s.PutSetting(background, "other", two, 1), directory.ErrStale)
	must(s.PutSetting(background, "name", two, rev))
	wantErr(t, "an old revision", s.PutSetting(background, "name", one, rev), directory.ErrStale)
	for _, k := range []string{"taxonomy", "a.b$c", "é"} {
		must(s.PutSetting(background, k, one, 0))
	}
	if err := s.PutSetting(background, "broken", []byte("{"), 0); err == nil {
		t.Error("a value that is not JSON was written")
	}
	s = b.open(t, place)
	if v, rev2, err := s.Setting(background, "name"); string(v) != "[]" || rev2 == rev || err != nil {
		t.Errorf("Setting after reopening = %s, %d, %v", v, rev2, err)
	}
	keys, err := s.Settings(background)
	if want := []string{"a.b$c", "name", "taxonomy", "é"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("Settings = %v, %v: want %v", keys, err, want)
	}
}

func testReopen(t *testing.T, b Backend) {
	place := b.New(t)
	es := names(10)
	for i := range 5 {
		s, err := b.Open(background, place)
		if err != nil {
			t.Fatalf("open for the %dth time: %v", i+1, err)
		}
		if h := head(t, s); h != directory.Seq(2*i) {
			t.Fatalf("Head = %d, want %d", h, 2*i)
		}
		put(t, s, directory.OpCreate, es[2*i:2*i+2]...)
		agree(t, s)
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

// calls makes every call of a store once.
func calls(ctx context.Context, s directory.Store) map[string]error {
	out := make(map[string]error)
	id := directory.NewID()
	_, out["Head"] = s.Head(ctx)
	_, out["Append"] = s.Append(ctx, 0, changesOf(0, directory.OpCreate, simple("x")))
	_, out["Changes"] = s.Changes(ctx, 0, 10)
	_, out["History"] = s.History(ctx, id, 0, 10)
	_, out["Batch"] = s.Batch(ctx, "b", 0, 10)
	_, out["Redact"] = s.Redact(ctx, id, 10)
	_, out["Entries"] = s.Entries(ctx, []directory.ID{id})
	out["Scan"] = s.Scan(ctx, "", func([]directory.Entry) error { return nil })
	_, out["Cursor"] = s.Cursor(ctx, "c")
	out["SaveCursor"] = s.SaveCursor(ctx, "c", 1)
	_, out["MoveCursors"] = s.MoveCursors(ctx, []directory.CursorMove{{Name: "c", To: 1}})
	_, _, out["Setting"] = s.Setting(ctx, "k")
	out["PutSetting"] = s.PutSetting(ctx, "k", []byte("1"), 0)
	_, out["Settings"] = s.Settings(ctx)
	out["Ping"] = s.Ping(ctx)
	return out
}

func testClosed(t *testing.T, b Backend) {
	place := b.New(t)
	s := b.open(t, place)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for call, err := range calls(background, s) {
		wantErr(t, call+" after Close", err, directory.ErrUnavailable)
	}
	if h := head(t, b.open(t, place)); h != 0 {
		t.Errorf("a closed store wrote: Head = %d", h)
	}
}

func testCancelled(t *testing.T, b Backend) {
	s := b.fresh(t)
	ctx, cancel := context.WithCancel(background)
	cancel()
	for call, err := range calls(ctx, s) {
		wantErr(t, call+" cancelled", err, context.Canceled)
	}
	ctx, cancel = context.WithTimeout(background, time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	for call, err := range calls(ctx, s) {
		wantErr(t, call+" too late", err, context.DeadlineExceeded)
	}
	if h := head(t, s); h != 0 {
		t.Errorf("a cancelled call wrote: Head = %d", h)
	}
	agree(t, s)
}
