package federation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// reported puts reports into the store as if somebody at those hosts had sent them.
func (in *instance) reported(n int, host func(i int) string) {
	in.t.Helper()
	for i := range n {
		r := federation.Report{ID: fmt.Sprintf("http://%s/flags/%d", host(i), i), Actor: "http://" + host(i) + "/actor", Objects: []string{in.relay()}, Received: time.Now().UTC()}
		b, err := json.Marshal(r)
		if err == nil {
			err = in.store.PutRecord(in.t.Context(), "ap-report", directory.Record{Key: r.Key(), Value: b})
		}
		if err != nil {
			in.t.Fatal(err)
		}
	}
}

// TestReportsOfNothing: only what is here can be reported, so that everything that counts is seen.
func TestReportsOfNothing(t *testing.T) {
	in := open(t, nil)
	org, e := in.organises(in.organisation("la-fourmiliere", nil), event("Bal"))
	p := fedtest.NewPeer(t)
	none := string(directory.NewID())
	for _, nothing := range []string{"/id/" + none, "/ap/actors/" + none, "/ap/announces/" + none, "/id/x", "/ap/nobody", "/", "/ap/", "", "/e/bal", "/ap/relay/"} {
		in.does(p, p.Activity("Flag", in.base+nothing))
		if list := must(in.s.OpenReports(t.Context())); len(list) != 0 {
			t.Fatalf("a report of %s is kept: %v", nothing, list)
		}
	}
	objects := []any{in.relay(), in.base + "/id/" + none, in.base + "/id/" + string(e.ID), in.actor(org), in.base + "/ap/announces/" + string(e.ID)}
	in.does(p, p.Activity("Flag", objects))
	list := must(in.s.OpenReports(t.Context()))
	if len(list) != 1 || fmt.Sprint(list[0].Objects) != fmt.Sprint(append(objects[:1:1], objects[2:]...)) {
		t.Errorf("%v", list)
	}
}

// TestFloodOfReports: neither many reports of one domain, nor reports that are shown to nobody, keep others from being heard.
func TestFloodOfReports(t *testing.T) {
	in := open(t, nil)
	flooder, other := fedtest.NewPeer(t), fedtest.NewPeer(t)
	in.reported(50, func(int) string { return strings.TrimPrefix(flooder.URL(), "http://") })
	in.does(flooder, flooder.Activity("Flag", in.relay()))
	if n := len(must(in.s.OpenReports(t.Context()))); n != 50 {
		t.Errorf("%d reports of one domain wait", n)
	}
	in.reported(1950, func(i int) string { return fmt.Sprintf("s%d.evil.example", i) })
	in.does(other, other.Activity("Flag", in.relay()))
	if n := len(must(in.s.OpenReports(t.Context()))); n != 2000 {
		t.Errorf("%d reports wait", n)
	}
	if _, err := in.s.ChangePolicy(t.Context(), func(policy *federation.Policy) error {
		policy.Rules["evil.example"] = federation.Rule{Severity: federation.Suspend}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	in.does(other, other.Activity("Flag", in.relay()))
	if n := len(must(in.s.OpenReports(t.Context()))); n != 51 {
		t.Errorf("%d reports wait after the block", n)
	}
}
