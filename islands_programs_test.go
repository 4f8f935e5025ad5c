package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/mongostore"
	"archipel/directory/mongostore/mongotest"
	"archipel/directory/sqlitestore"
	"archipel/federation/islands"
)

// wall is a clock on the wall that several programs look at: a file says how far it is ahead.
type wall struct {
	path  string
	mu    sync.Mutex
	read  time.Time
	ahead time.Duration
}

func (w *wall) now() time.Time {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.read) > 50*time.Millisecond {
		b, err := os.ReadFile(w.path)
		if err == nil {
			w.ahead, err = time.ParseDuration(string(b))
		}
		if err != nil {
			panic(err)
		}
		w.read = now
	}
	return now.Add(w.ahead)
}

// forward sets the clock of all programs ahead.
func (w *wall) forward(t *testing.T, d time.Duration) {
	t.Helper()
	w.now()
	w.mu.Lock()
	w.ahead += d
	text := w.ahead.String()
	w.mu.Unlock()
	err := os.WriteFile(w.path+".new", []byte(text), 0o600)
	if err == nil {
		err = os.Rename(w.path+".new", w.path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// gate is the way into a program from outside: open, cut, or losing connections by chance, before or after what was asked
// has been done.
type gate struct {
	address, behind string
	ln              net.Listener
	mu              sync.Mutex
	loss            float64 // of connections; 1: it is cut
	open            map[net.Conn]bool
	wg              sync.WaitGroup
}

func newGate(t *testing.T, ip, behind string) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{address: ln.Addr().String(), behind: behind, ln: ln, open: map[net.Conn]bool{}}
	g.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			g.wg.Go(func() { g.pass(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		g.lose(1)
		g.wg.Wait()
	})
	return g
}

// lose sets how many connections are lost. Those that are open are, when it is cut.
func (g *gate) lose(share float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.loss = share
	if share >= 1 {
		for c := range g.open {
			c.Close()
		}
	}
}

func (g *gate) enter(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.loss >= 1 {
		return false
	}
	g.open[c] = true
	return true
}

func (g *gate) leave(c net.Conn) {
	c.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, c)
}

func (g *gate) chance() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return rand.Float64() < g.loss
}

func (g *gate) pass(c net.Conn) {
	defer g.leave(c)
	if !g.enter(c) || g.chance() {
		return
	}
	to, err := net.Dial("tcp", g.behind)
	if err != nil {
		return // the program does not run: whoever asks sees a connection that ends
	}
	defer g.leave(to)
	if !g.enter(to) {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		_, _ = io.Copy(to, c)
		to.Close()
	})
	// An answer that is lost: what was asked for has been done.
	buf := make([]byte, 32<<10)
	for {
		n, err := to.Read(buf)
		if n > 0 {
			if g.chance() {
				break
			}
			if _, err := c.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	c.Close()
}

// islet is one directory of the archipelago: a program of its own with its store, reached by others through its gate.
type islet struct {
	t     *testing.T
	name  string
	host  string // public
	dir   string
	mongo string // address of its database; empty: SQLite
	gate  *gate
	wall  *wall
	*program
	beside *directory.Directory
	store  directory.Store
	token  string // of a moderator
}

func newIslet(t *testing.T, w *wall, name, ip, mongo string) *islet {
	t.Helper()
	behind, err := freePortOf(ip)
	if err != nil {
		t.Skipf("%s is no address of this machine: %v", ip, err)
	}
	i := &islet{t: t, name: name, dir: t.TempDir(), mongo: mongo, gate: newGate(t, ip, behind), wall: w}
	i.host = i.gate.address
	i.run("site", "name="+name, "licence=ODbL-1.0")
	i.begin()
	return i
}

func (i *islet) options() []string {
	options := []string{"-data", i.dir}
	if i.mongo != "" {
		options = append(options, "-mongo", i.mongo)
	}
	return options
}

// run is a command of the operator's.
func (i *islet) run(command string, args ...string) string {
	i.t.Helper()
	out, stderr, err := archipel(i.t, append(append([]string{command}, i.options()...), args...)...)
	if err != nil {
		i.t.Fatalf("%s: %s %q: %v; it said %s", i.name, command, args, err, stderr)
	}
	return out
}

// begin starts the program, and opens its store beside it.
func (i *islet) begin() {
	i.t.Helper()
	args := append([]string{"serve", "-listen", i.gate.behind, "-public-url", "http://" + i.host, "-federation", "on"}, i.options()...)
	i.program = start(i.t, []string{"ARCHIPEL_TEST_CLOCK=" + i.wall.path}, args...)
	i.url = "http://" + i.gate.behind
	eventually(i.t, i.name+" is ready", func() bool {
		res, err := http.Get(i.url + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	if i.store != nil {
		return
	}
	var err error
	if i.mongo != "" {
		i.store, err = mongostore.Open(context.Background(), i.mongo)
	} else {
		i.store, err = sqlitestore.Open(context.Background(), i.dir)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	store := i.store
	i.t.Cleanup(func() { store.Close() })
	if i.beside, err = directory.Open(i.t.Context(), directory.Options{Store: store, Now: i.wall.now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		i.t.Fatal(err)
	}
}

// put writes an entry beside the running program.
func (i *islet) put(e directory.Entry) directory.Entry {
	i.t.Helper()
	e, err := i.beside.Put(i.t.Context(), "test", e)
	if err != nil {
		i.t.Fatalf("%s: %v", i.name, err)
	}
	return e
}

// edit changes an entry as it stands.
func (i *islet) edit(id directory.ID, change func(*directory.Entry)) directory.Entry {
	i.t.Helper()
	e, err := i.beside.Entry(i.t.Context(), id)
	if err != nil {
		i.t.Fatal(err)
	}
	change(&e)
	return i.put(e)
}

// entries are those of the store, each as it stands.
func (i *islet) entries() map[directory.ID]directory.Entry {
	i.t.Helper()
	all := map[directory.ID]directory.Entry{}
	err := i.store.Scan(i.t.Context(), "", func(entries []directory.Entry) error {
		for _, e := range entries {
			all[e.ID] = e
		}
		return nil
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return all
}

// shows is what the program answers to everybody, by id: the features of its list of all entries.
func (i *islet) shows() map[directory.ID]map[string]any {
	i.t.Helper()
	all := map[directory.ID]map[string]any{}
	next := "/api/collections/entries/items?limit=500"
	for next != "" {
		code, body := i.get(next)
		var page struct {
			Features []map[string]any
			Links    []struct{ Rel, Href string }
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || code != http.StatusOK {
			i.t.Fatalf("%s: %s: %d %v", i.name, next, code, err)
		}
		for _, f := range page.Features {
			id, _ := f["id"].(string)
			all[directory.ID(id)] = f
		}
		next = ""
		for _, l := range page.Links {
			if u, err := url.Parse(l.Href); l.Rel == "next" && err == nil {
				next = u.RequestURI()
			}
		}
	}
	return all
}

// status is how the island fares with another one.
func (i *islet) status(of *islet) islands.Status {
	i.t.Helper()
	all, err := islands.Statuses(i.t.Context(), i.store, i.wall.now())
	if err != nil {
		i.t.Fatal(err)
	}
	for _, st := range all {
		if st.Host == of.host {
			return st
		}
	}
	return islands.Status{}
}

// enters gives the island a moderator with a token for programs.
func (i *islet) enters() {
	i.t.Helper()
	out, err := i.command("account", "create", "-role", "moderator", "-mail", i.name+"@example.org")
	if err != nil {
		i.t.Fatalf("%v: %s", err, out)
	}
	i.token = newHand(i.program).follows(i.t, out)
}

// command runs a command in a process of its own, on the clock of the islands.
func (i *islet) command(name string, args ...string) (string, error) {
	cmd := exec.Command(os.Args[0], append(append([]string{name}, i.options()...), args...)...)
	cmd.Env = append(os.Environ(), "ARCHIPEL_TEST_PROGRAM=1", "ARCHIPEL_TEST_CLOCK="+i.wall.path)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// burst adds entries by the program's own API, as fast as it answers, until it answers no more, and others beside it, until
// stop is closed. It returns those that were answered. The API takes only so many of one person.
func (i *islet) burst(stop <-chan struct{}, name string) map[directory.ID]string {
	saved, token := map[directory.ID]string{}, i.token
	h := newHand(i.program)
	answers := true
	for n := 0; ; n++ {
		select {
		case <-stop:
			return saved
		default:
		}
		text := fmt.Sprintf("%s %d", name, n)
		if n%4 > 0 || n > 60 || !answers {
			saved[i.put(farm(text)).ID] = text
			time.Sleep(5 * time.Millisecond) // some hundreds are enough
			continue
		}
		feature, _ := json.Marshal(map[string]any{"type": "Feature", "geometry": map[string]any{"type": "Point", "coordinates": []float64{4.39, 45.44}},
			"properties": map[string]any{"kind": "place", "name": text, "categories": []string{"ferme"}}})
		code, body, _ := h.ask("POST", "/api/collections/places/items", "application/geo+json", feature, "Authorization", "Bearer "+token)
		var made struct{ ID directory.ID }
		if answers = code == http.StatusCreated && json.Unmarshal([]byte(body), &made) == nil; answers {
			saved[made.ID] = text
		}
	}
}

func joined(list []string) string {
	if len(list) > 8 {
		list = append(list[:8:8], fmt.Sprintf("and %d more", len(list)-8))
	}
	return strings.Join(list, "; ")
}

// restore puts a backup in the place of what the islet, which does not run, has.
func (i *islet) restore(file string) {
	i.t.Helper()
	if err := i.store.Close(); err != nil {
		i.t.Fatal(err)
	}
	i.store = nil
	if i.dir = i.t.TempDir(); i.mongo != "" {
		i.mongo = mongotest.Fresh(i.t)
	}
	i.run("restore", file)
}
