package api_test

import (
	"net/http"
	"testing"

	"archipel/directory"
)

// TestRemovedUnseen: the name of an entry that was taken down is gone when it had been public, and unknown when nobody had
// seen it, like a name that never was.
func TestRemovedUnseen(t *testing.T) {
	s := open(t)
	seen, unseen := place("Le Vu", "Lyon", 4.84, 45.76), place("Le Jamais Vu", "Lyon", 4.84, 45.76)
	unseen.Status = directory.Pending
	list := s.put(seen, unseen)
	for i := range list {
		list[i].Status = directory.Removed
	}
	s.put(list...)
	for path, want := range map[string]int{"/e/le-vu": http.StatusGone, "/e/le-jamais-vu": http.StatusNotFound, "/e/rien": http.StatusNotFound, "/e/le-jamais-vu.ics": http.StatusNotFound} {
		if got := s.get(path).StatusCode; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}
