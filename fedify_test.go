package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// fedify is a server of another make.
type fedify struct {
	t     *testing.T
	stdin io.WriteCloser
	told  chan map[string]any
	seen  []map[string]any
}

// startFedify starts it, or skips the test when it is not installed; in CI that is a failure.
func startFedify(t *testing.T, firstKnock string) *fedify {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "archipel", "fedify")
	node := filepath.Join(cache, "node_modules", ".bin", "node")
	if _, err := os.Stat(filepath.Join(cache, "installed")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("Fedify is not installed: scripts/fedify/install.sh")
		}
		t.Skip("Fedify is not installed: scripts/fedify/install.sh")
	}
	cmd := exec.Command(node, "scripts/fedify/peer.mjs", firstKnock)
	cmd.Env = append(os.Environ(), "FEDIFY_CACHE="+cache)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	f := &fedify{t: t, told: make(chan map[string]any, 100)}
	if f.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in := bufio.NewScanner(stdout)
		for in.Scan() {
			var m map[string]any
			if json.Unmarshal(in.Bytes(), &m) == nil {
				f.told <- m
			}
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		f.stdin.Close()
		over := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer over.Stop()
		for running := true; running; {
			select {
			case <-ended:
				running = false
			case m := <-f.told: // whoever tells is not kept from ending
				f.seen = append(f.seen, m)
			}
		}
		if t.Failed() {
			t.Logf("Fedify told %v; on stderr: %s", f.seen, stderr.String())
		}
	})
	return f
}

// await waits for something that Fedify tells of.
func (f *fedify) await(event, kind string) map[string]any {
	f.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-f.told:
			f.seen = append(f.seen, m)
			if m["event"] == "failed" || m["event"] == "error" || m["event"] == "refused" {
				f.t.Fatalf("Fedify: %v", m)
			}
			if m["event"] == event && (kind == "" || m["type"] == kind || m["do"] == kind) {
				return m
			}
		case <-deadline:
			f.t.Fatalf("Fedify told nothing of %s %s, but %v", event, kind, f.seen)
		}
	}
}

// finished waits until an order, of which there was one, has been carried out. What it brought may have been told before.
func (f *fedify) finished(do string) {
	f.t.Helper()
	for _, m := range f.seen {
		if m["event"] == "done" && m["do"] == do {
			return
		}
	}
	f.await("done", do)
}

// heard is all that it told until now.
func (f *fedify) heard() []map[string]any {
	for {
		select {
		case m := <-f.told:
			f.seen = append(f.seen, m)
		default:
			return f.seen
		}
	}
}

func (f *fedify) order(do string, pairs ...string) {
	f.t.Helper()
	m := map[string]string{"do": do}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.stdin.Write(append(b, '\n')); err != nil {
		f.t.Fatal(err)
	}
}

// TestFedify holds the real program to another implementation, in both forms of signature.
func TestFedify(t *testing.T) {
	for _, knock := range []string{"draft-cavage-http-signatures-12", "rfc9421"} {
		t.Run(knock, func(t *testing.T) { withFedify(t, startFedify(t, knock)) })
	}
}

func withFedify(t *testing.T, f *fedify) {
	f.await("listening", "")
	dir, address := t.TempDir(), freePort(t)
	base := "http://" + address
	args := []string{"serve", "-data", dir, "-listen", address, "-public-url", base, "-federation", "on"}
	p := start(t, nil, args...)

	f.order("lookup", "target", base+"/ap/relay")
	if m := f.await("found", ""); m["id"] != base+"/ap/relay" || m["type"] != "Application" || m["keys"] != 1.0 {
		t.Fatalf("it finds %v", m)
	}
	f.order("follow")
	if m := f.await("received", "Accept"); m["actor"] != base+"/ap/relay" {
		t.Errorf("Accept is %v", m)
	}

	d := openBeside(t, dir)
	e, err := d.Put(t.Context(), "test", fair("Troc de plantes"))
	if err != nil {
		t.Fatal(err)
	}
	id := base + "/id/" + string(e.ID)
	object := f.await("received", "Create")["object"].(map[string]any)
	if object["id"] != id || object["type"] != "Event" || object["name"] != "Troc de plantes" || object["start"] == nil {
		t.Errorf("Create brings %v", object)
	}
	f.order("get", "target", id)
	if m := f.await("got", ""); m["id"] != id || m["type"] != "Event" {
		t.Errorf("the object is %v", m)
	}

	likes := func() float64 {
		_, doc := fedtest.Get(t, base+"/ap/objects/"+string(e.ID)+"/likes")
		n, _ := doc["totalItems"].(float64)
		return n
	}
	f.order("like", "target", id)
	eventually(t, "the Like", func() bool { return likes() == 1 })
	f.await("done", "like")
	f.order("unlike")
	eventually(t, "the Undo", func() bool { return likes() == 0 })
	f.order("reply", "target", id, "content", "<p>J'y serai</p>")
	eventually(t, "the reply", func() bool {
		replies, err := federation.Replies(t.Context(), d.Store())
		return err == nil && len(replies) == 1 && replies[0].Entry == e.ID && strings.Contains(replies[0].Content, "serai")
	})
	f.order("flag", "target", id, "content", "Faux")
	eventually(t, "the report", func() bool {
		reports, err := federation.Reports(t.Context(), d.Store())
		return err == nil && len(reports) == 1 && reports[0].Content == "Faux"
	})
	f.order("join", "target", id)
	f.await("received", "Ignore")
	f.finished("join") // it knows that what it sent has come

	p.kill() // and what happens meanwhile arrives after the start
	e.Name = "Grand troc de plantes"
	if e, err = d.Put(t.Context(), "test", e); err != nil {
		t.Fatal(err)
	}
	p = start(t, nil, args...)
	if o := f.await("received", "Update")["object"].(map[string]any); o["name"] != e.Name {
		t.Errorf("Update brings %v", o)
	}
	e.Status = directory.Removed
	if _, err = d.Put(t.Context(), "test", e); err != nil {
		t.Fatal(err)
	}
	if o := f.await("received", "Delete")["object"].(map[string]any); o["id"] != id {
		t.Errorf("Delete brings %v", o)
	}
	f.order("unfollow")
	eventually(t, "the follower to leave", func() bool {
		status, doc := fedtest.Get(t, base+"/ap/relay/followers")
		return status == http.StatusOK && doc["totalItems"] == 0.0
	})
	if err := p.stop(); err != nil {
		t.Errorf("it stopped with %v; it said %s", err, p.stderr)
	}
}
