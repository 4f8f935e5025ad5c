package mongostore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/mongostore/mongotest"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

var bg = context.Background()

// soon is less than the driver itself looks for a server when nobody tells it not to, 30 s.
const soon = 29 * time.Second

func mustOpen(t testing.TB, uri string) *Store {
	t.Helper()
	return openWaiting(t, uri, patient)
}

func openWaiting(t testing.TB, uri string, wait patience) *Store {
	t.Helper()
	s, err := open(bg, uri, options.Client(), wait)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func entry(name string) directory.Entry {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	e := directory.Entry{ID: directory.NewID(), Kind: directory.Place, Slug: name, Name: name, Status: directory.Published, Created: now, Updated: now,
		Private: &directory.Private{Email: "someone@example.org"}}
	e.Sites = append(e.Sites, [2]float64{4.3872, 45.4397})
	return e
}

func changesAfter(after directory.Seq, entries ...directory.Entry) []directory.Change {
	var out []directory.Change
	for i, e := range entries {
		e.Version = after + 1 + directory.Seq(i)
		out = append(out, directory.Change{Seq: e.Version, ID: string(directory.NewID()), Time: e.Created, Op: directory.OpCreate, Entry: e})
	}
	return out
}

// logIDs returns the random ids of the whole log.
func logIDs(t testing.TB, s *Store) []string {
	t.Helper()
	log, err := s.Changes(bg, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i, c := range log {
		if c.Seq != directory.Seq(i+1) {
			t.Fatalf("the log has %d where %d belongs", c.Seq, i+1)
		}
		ids = append(ids, c.ID)
	}
	return ids
}

// TestLostAnswer cuts the line to the server during Append: after the server wrote, or before it heard of it. Append
// finds out which, and the log has every change once.
func TestLostAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before bool
		size   int
	}{{"answer lost", false, 1}, {"request lost", true, 1}, {"batch, answer lost", false, 50}, {"batch, request lost", true, 50}} {
		t.Run(tt.name, func(t *testing.T) {
			direct := mongotest.Fresh(t)
			p, uri := newProxy(t, direct)
			s := mustOpen(t, uri)
			var es []directory.Entry
			for range tt.size {
				es = append(es, entry("e"))
			}
			c := changesAfter(0, es...)
			p.mu.Lock()
			p.cut, p.before = "\x02insert\x00", tt.before
			p.mu.Unlock()
			n, err := s.Append(bg, 0, c)
			if n != tt.size || err != nil {
				t.Errorf("Append = %d, %v: want %d", n, err, tt.size)
			}
			if cuts := p.cutLines(); cuts != 1 {
				t.Fatalf("the line was cut %d times, want 1", cuts)
			}
			ids := logIDs(t, mustOpen(t, direct))
			if len(ids) != tt.size {
				t.Errorf("the log has %d changes, want %d", len(ids), tt.size)
			}
			for i, id := range ids {
				if id != c[i].ID {
					t.Errorf("change %d is not ours", i+1)
				}
			}
		})
	}
}

// TestLostAndTaken: the request is lost, and before it is sent again somebody else takes its number.
func TestLostAndTaken(t *testing.T) {
	direct := mongotest.Fresh(t)
	p, uri := newProxy(t, direct)
	s, other := mustOpen(t, uri), mustOpen(t, direct)
	p.mu.Lock()
	p.cut, p.before = "\x02insert\x00", true
	p.then = func() {
		if n, err := other.Append(bg, 0, changesAfter(0, entry("theirs"))); n != 1 || err != nil {
			t.Errorf("the other's Append = %d, %v", n, err)
		}
	}
	p.mu.Unlock()
	n, err := s.Append(bg, 0, changesAfter(0, entry("mine"), entry("mine too")))
	if n != 0 || !errors.Is(err, directory.ErrStale) {
		t.Errorf("Append = %d, %v: want 0 and ErrStale", n, err)
	}
	if ids := logIDs(t, other); len(ids) != 1 {
		t.Errorf("the log has %d changes, want the other's one", len(ids))
	}
}

// TestVanish: a server that goes away makes every call fail soon, and is used again when it is back.
func TestVanish(t *testing.T) {
	p, uri := newProxy(t, mongotest.Fresh(t))
	wait := patient
	wait.selection, wait.lost = usual.selection, usual.lost
	s := openWaiting(t, uri, wait)
	e := entry("e")
	if _, err := s.Append(bg, 0, changesAfter(0, e)); err != nil {
		t.Fatal(err)
	}
	p.vanish()
	for range 2 { // the first meets a dead line, the second finds no server
		if err := s.Ping(bg); !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("Ping without a server: %v, want ErrUnavailable", err)
		}
	}
	for name, call := range map[string]func() error{
		"Ping":    func() error { return s.Ping(bg) },
		"Entries": func() error { _, err := s.Entries(bg, []directory.ID{e.ID}); return err },
		"Append":  func() error { _, err := s.Append(bg, 1, changesAfter(1, entry("x"))); return err },
	} {
		start := time.Now()
		err := call()
		if !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("%s without a server: %v, want ErrUnavailable", name, err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s blames the caller's deadline: %v", name, err)
		}
		if took := time.Since(start); took > soon {
			t.Errorf("%s took %v to find out", name, took)
		}
	}
	p.comeBack()
	start := time.Now()
	for s.Ping(bg) != nil {
		if time.Since(start) > 2*time.Minute {
			t.Fatal("the store does not come back")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n, err := s.Append(bg, 1, changesAfter(1, entry("again"))); n != 1 || err != nil {
		t.Errorf("Append after the server came back = %d, %v", n, err)
	}
	if ids := logIDs(t, s); len(ids) != 2 {
		t.Errorf("the log has %d changes, want 2", len(ids))
	}
}

// TestSilence: a server whose answers no longer arrive counts as away, too.
func TestSilence(t *testing.T) {
	p, uri := newProxy(t, mongotest.Fresh(t))
	s := mustOpen(t, uri)
	s.wait = usual
	p.mu.Lock()
	p.deaf = true
	p.mu.Unlock()
	if _, err := s.Head(bg); !errors.Is(err, directory.ErrUnavailable) { // without a limit it would wait for ever
		t.Errorf("Head of a silent server: %v", err)
	}
}

// TestOpenErrors: what is wrong at start is said in one line, soon, without the password.
func TestOpenErrors(t *testing.T) {
	for _, uri := range []string{
		"mongodb://user:geheim@127.0.0.1:1/archipel",
		"mongodb://user:geheim@127.0.0.1:1,127.0.0.1:2/?replicaSet=rs0",
		"mongodb://user:ge@heim@127.0.0.1/x",
		"mongodb://user:ge%zzheim@127.0.0.1/x",
		"mongodb://user:geheim@127.0.0.1:99999/x",
		"mongodb://user:geheim@127.0.0.1/x?w=geheim&maxPoolSize=many",
		"postgres://user:geheim@127.0.0.1/x",
		"mongodb://", "", "localhost:27017",
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			s, err := Open(bg, uri)
			if err == nil {
				s.Close()
				t.Fatalf("%s: no error", uri)
			}
			if text := err.Error(); strings.Contains(text, "geheim@") || strings.Contains(text, "user:ge") || strings.Contains(text, "\n") || !strings.HasPrefix(text, "MongoDB") || len(text) > 300 {
				t.Errorf("%s: message %q", uri, text)
			}
			if strings.Contains(uri, "127.0.0.1:1") && !errors.Is(err, directory.ErrUnavailable) {
				t.Errorf("%s: %v, want ErrUnavailable", uri, err)
			}
			if took := time.Since(start); took > soon {
				t.Errorf("%s: took %v", uri, took)
			}
			t.Log(err)
		})
	}
}
