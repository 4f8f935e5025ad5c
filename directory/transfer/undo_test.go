package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
)

func TestUndo(t *testing.T) {
	ctx := context.Background()
	d := newDirectory(t)
	mustImport(t, d, "id,nom,résumé\n1,A,un\n2,B,un\n3,C,un\n", ImportOptions{Batch: "one"})
	before := all(t, d)
	mustImport(t, d, "id,nom,résumé\n1,A,deux\n2,B,deux\n3,C,un\n4,D,neuf\n5,E,neuf\n", ImportOptions{Batch: "two"})
	edit(t, d, "B", func(e *directory.Entry) { e.Summary = "ici" })
	edit(t, d, "E", func(e *directory.Entry) { e.Summary = "ici" })

	r, err := Undo(ctx, d, "two")
	if err != nil {
		t.Fatal(err)
	}
	if r.Removed != 1 || r.Restored != 1 || len(r.Kept) != 2 || r.Already != 0 {
		t.Errorf("got %+v, want one removed, one restored, two kept", r)
	}
	if !strings.Contains(r.String(), "account:alice") {
		t.Errorf("the report does not say who changed them:\n%s", r)
	}
	after := all(t, d)
	if after["A"].Summary != "un" || after["B"].Summary != "ici" || after["E"].Summary != "ici" || len(after) != 4 {
		t.Errorf("got %v", after)
	}
	if after["C"].Version != before["C"].Version {
		t.Error("an entry that the import had not changed was written")
	}
	head := d.Head()
	if r, err = Undo(ctx, d, "two"); err != nil || r.Removed+r.Restored != 0 || r.Already != 2 || d.Head() != head {
		t.Errorf("a second time: got %+v, %v and %d changes", r, err, d.Head()-head)
	}

	infos, err := Batches(ctx, d)
	if err != nil || len(infos) != 2 || infos[0].Batch != "two" || infos[0].Created != 2 || infos[0].Updated != 2 || infos[0].Undone != 2 || infos[1].Created != 3 || infos[0].Sources[0] != "test" {
		t.Errorf("batches: got %+v, %v", infos, err)
	}

	// What was taken back can be imported again: a removal by an undo is no decision of a person.
	rep := mustImport(t, d, "id,nom,résumé\n1,A,deux\n4,D,neuf\n", ImportOptions{Batch: "three"})
	if after = all(t, d); after["D"].Summary != "neuf" || after["A"].Summary != "deux" || rep.Failed != 0 {
		t.Errorf("imported again: got %v, %+v", after, rep)
	}
	if _, err := Undo(ctx, d, "three"); err != nil {
		t.Fatal(err)
	}
	if after = all(t, d); len(after) != 4 || after["A"].Summary != "un" {
		t.Errorf("taken back again: got %v", after)
	}
	for _, name := range []string{"", "nonsense"} {
		if _, err := Undo(ctx, d, name); !errors.Is(err, ErrNoBatch) {
			t.Errorf("%q: got %v, want ErrNoBatch", name, err)
		}
	}
}

func bigFile(n int, word string) string {
	var b strings.Builder
	b.WriteString("id,nom,résumé,lat,lon\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,Lieu %d,%s,%.4f,%.4f\n", i, i, word, 45+float64(i%100)/100, 4+float64(i/100)/100)
	}
	return b.String()
}

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv("TRANSFER_CHILD_DATA")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := child(context.Background(), dir, os.Getenv("TRANSFER_CHILD_DO")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child imports or takes back, and says on standard output when it is at work.
func child(ctx context.Context, dir, what string) error {
	s, err := sqlitestore.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer s.Close()
	d, err := directory.Open(ctx, directory.Options{Store: s})
	if err != nil {
		return err
	}
	if what == "undo" {
		fmt.Println("batch")
		_, err = Undo(ctx, d, "b")
		return err
	}
	_, err = Import(ctx, d, strings.NewReader(bigFile(20_000, "deux")), ImportOptions{Source: "s", Batch: "b", Progress: func(Progress) { fmt.Println("batch") }})
	return err
}

// Killed in the middle and run again, an import and its undo end in the same state as if nothing had happened.
func TestKilledInTheMiddle(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes; not with -short")
	}
	dir := t.TempDir()
	func() {
		d := openDirectory(t, dir)
		mustImport(t, d, bigFile(1000, "un"), ImportOptions{Source: "s", Batch: "a"})
	}()
	run := func(what string, after time.Duration) (killed bool) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TRANSFER_CHILD_DATA="+dir, "TRANSFER_CHILD_DO="+what)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out.Read(make([]byte, 1)) //nolint:errcheck // it is at work, or gone
		time.Sleep(after)
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		return cmd.Wait() != nil
	}
	kills := 0
	for i := range 4 {
		if run("import", time.Duration(5+40*i)*time.Millisecond) {
			kills++
		}
	}
	d := openDirectory(t, dir)
	partly := len(all(t, d))
	mustImport(t, d, bigFile(20_000, "deux"), ImportOptions{Source: "s", Batch: "b"})
	got := all(t, d)
	if len(got) != 20_000 || kills == 0 {
		t.Fatalf("%d entries after %d kills (%d before the last run), want 20000", len(got), kills, partly)
	}
	for name, e := range got {
		if e.Summary != "deux" {
			t.Fatalf("%s: summary %q, want deux", name, e.Summary)
		}
	}
	kills = 0
	for i := range 3 {
		if run("undo", time.Duration(150+100*i)*time.Millisecond) {
			kills++
		}
	}
	if err := d.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	partly = len(all(t, d))
	if _, err := Undo(context.Background(), d, "b"); err != nil {
		t.Fatal(err)
	}
	got = all(t, d)
	if len(got) != 1000 {
		t.Fatalf("%d entries after undo, %d kills (%d before the last run), want 1000", len(got), kills, partly)
	}
	for name, e := range got {
		if e.Summary != "un" {
			t.Fatalf("%s: summary %q, want un", name, e.Summary)
		}
	}
	t.Logf("undo was killed %d times and had left %d entries", kills, partly)
}
