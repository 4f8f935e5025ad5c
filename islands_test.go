package main

import (
	"net/http"
	"strings"
	"testing"

	"archipel/directory"
)

// TestIslands lets one real program follow another, by what their operators type: entries of a territory appear on the
// pages of the other, and are gone when they part.
func TestIslands(t *testing.T) {
	dirA, addressA, dirB, addressB := t.TempDir(), freePort(t), t.TempDir(), freePort(t)
	for dir, address := range map[string]string{dirA: addressA, dirB: addressB} {
		if _, stderr, err := archipel(t, "site", "-data", dir, "licence=ODbL-1.0", "name=Île "+address); err != nil {
			t.Fatal(err, stderr)
		}
	}
	serve := func(dir, address string) *program {
		return start(t, nil, "serve", "-data", dir, "-listen", address, "-public-url", "http://"+address, "-federation", "on")
	}
	a, _ := serve(dirA, addressA), serve(dirB, addressB)
	d := openBeside(t, dirB)
	here, err := d.Put(t.Context(), "test", fair("Troc de plantes"))
	if err != nil {
		t.Fatal(err)
	}
	away := fair("Troc d'ailleurs")
	away.Sites[0][0], away.Address = 2.35, nil
	if _, err := d.Put(t.Context(), "test", away); err != nil {
		t.Fatal(err)
	}
	operator := func(dir string, args ...string) string {
		t.Helper()
		out, stderr, err := archipel(t, append([]string{"islands", "-data", dir}, args...)...)
		if err != nil {
			t.Fatalf("islands %q: %v; it said %s", args, err, stderr)
		}
		return out
	}
	operator(dirA, "ask", "http://"+addressB, "-zones", "FR-42", "-kinds", "event,place")
	eventually(t, "b knows that a asks", func() bool { return strings.Contains(operator(dirB, "list"), "it follows us: asked") })
	operator(dirB, "accept", addressA)
	eventually(t, "the event appears", func() bool { status, _ := a.get("/e/" + here.Slug); return status == http.StatusOK })
	eventually(t, "the list has it", func() bool { return a.matched("") > 0 })
	if n := a.matched(""); n != 1 {
		t.Errorf("a shows %d entries, one is in the scope", n)
	}
	if _, page := a.get("/e/" + here.Slug); !strings.Contains(page, addressB) || !strings.Contains(page, "ODbL") {
		t.Error("its page does not say whose it is, and under which licence")
	}
	operator(dirA, "end", addressB)
	eventually(t, "the event is gone", func() bool {
		status, _ := a.get("/e/" + here.Slug)
		return status == http.StatusNotFound || status == http.StatusGone
	})
	eventually(t, "b knows that a left", func() bool { return strings.Contains(operator(dirB, "list"), "it follows us: ended") })
	if e, err := openBeside(t, dirA).Entry(t.Context(), here.ID); err != nil || e.Status != directory.Hidden {
		t.Errorf("what stays until it is purged: %v, %v", e.Status, err)
	}
	for _, args := range [][]string{{"ask"}, {"ask", "ht!tp"}, {"accept", "nobody.example"}, {"end", addressB}, {"policy", addressB, "x"}, {"pause", addressB, "up"}, {"ask", addressB, "-kinds", "village"}, {"tell"}} {
		if _, _, err := archipel(t, append([]string{"islands", "-data", dirA}, args...)...); err == nil {
			t.Errorf("islands %q is taken", args)
		}
	}
}
