package api

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestRoomForUploads: one address cannot take the room of the others, nor keep what it gave back.
func TestRoomForUploads(t *testing.T) {
	u := newUploads(nil)
	whole := int64(maxImport + 1<<20)
	long, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	var leave []func()
	for _, who := range []string{"a", "b", "c", "d"} {
		for range uploadsOf / whole {
			out, err := u.enter(long, who, whole)
			if err != nil {
				t.Fatalf("%s is kept out by others: %v", who, err)
			}
			leave = append(leave, out)
		}
		if _, err := u.enter(impatient, who, whole); !errors.Is(err, errUploadsFull) {
			t.Fatalf("%s sends more than its share: %v", who, err)
		}
	}
	if _, err := u.enter(impatient, "e", whole); !errors.Is(err, errUploadsFull) {
		t.Fatalf("more than fits: %v", err)
	}
	// Who waits comes in when somebody leaves.
	in := make(chan error, 1)
	go func() {
		out, err := u.enter(long, "e", whole)
		if err == nil {
			out()
		}
		in <- err
	}()
	leave[0]()
	if err := <-in; err != nil {
		t.Fatal(err)
	}
	for _, out := range leave[1:] {
		out()
	}
	if len(u.of) != 0 || !u.all.TryAcquire(uploadsAll) {
		t.Errorf("%d addresses are remembered, or room was lost", len(u.of))
	}
}
