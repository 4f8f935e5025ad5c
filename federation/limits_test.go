package federation

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// TestSpentAddress: an address that has sent too much is told so before its signature is looked at, where requests are signed as well.
func TestSpentAddress(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	p, _ := refusing(t, &now)
	s := p.s
	s.limits.clients["192.0.2.1"] = rate.NewLimiter(0, 0)
	for address, want := range map[string]int{"192.0.2.1:4000": http.StatusTooManyRequests, "192.0.2.2:4000": http.StatusUnauthorized} {
		r := httptest.NewRequest(http.MethodGet, "/ap/relay/followers/sync", nil)
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want || want == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: followers/sync answered %d, want %d; %v", address, w.Code, want, w.Header())
		}
		if _, code, _ := s.Authenticate(r); code != want {
			t.Errorf("%s: who reads as an island was answered %d, want %d", address, code, want)
		}
	}
}

// TestOwnLimit: that we ask no more new actors of a domain in this hour is no fault of its servers. The report waits, and others do not.
func TestOwnLimit(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	p, _ := refusing(t, &now)
	s := p.s
	for i := range newActorsPerHour {
		s.limits.metActor(fmt.Sprintf("https://loin.example/%d", i), now)
	}
	report := &Passed{ID: "https://annuaire.example/ap/relay#Flag/1", Host: "loin.example", Actor: "https://loin.example/maud", At: now}
	if err := s.pass(t.Context(), report); err != nil {
		t.Fatal(err)
	}
	if !report.Waits() || !report.Next.After(now) {
		t.Errorf("the report: %+v", report)
	}
	if wait, err := s.hosts.wait(t.Context(), "loin.example"); wait != 0 || err != nil {
		t.Errorf("the server is not asked for %s, %v", wait, err)
	}
	if hosts, err := Hosts(t.Context(), s.store); err != nil || len(hosts) != 0 {
		t.Errorf("it counts as failing: %+v, %v", hosts, err)
	}
	report.At = now.Add(-8 * 24 * time.Hour)
	if err := s.pass(t.Context(), report); err != nil || !report.Ended {
		t.Errorf("after a week: %+v, %v", report, err)
	}
}

// TestRegistrable: what is counted together, because one may have any number of it.
func TestRegistrable(t *testing.T) {
	for host, want := range map[string]string{
		"loin.example": "loin.example", "a.b.loin.example": "loin.example", "loin.example:8443": "loin.example", "a.loin.example:9": "loin.example",
		"un.github.io:8443": "un.github.io", "192.0.2.7": "192.0.2.7", "192.0.2.7:8443": "192.0.2.7", "[2001:db8::7]": "2001:db8::/64",
		"[2001:db8::8]:8443": "2001:db8::/64", "[::ffff:192.0.2.7]:1": "192.0.2.7", "127.0.0.1:8443": "127.0.0.1:8443", "[::1]:8443": "[::1]:8443", "": "",
	} {
		if got := registrable(host); got != want {
			t.Errorf("%q counts as %q, want %q", host, got, want)
		}
	}
}
