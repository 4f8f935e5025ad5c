package main

import (
	"strings"
	"testing"
)

// TestFollowByCommand: what an operator types to follow an actor of another server is kept, listed, changed and ended; what cannot be
// meant is said with the field.
func TestFollowByCommand(t *testing.T) {
	dir := t.TempDir()
	operator := func(args ...string) (out string, err error) {
		t.Helper()
		out, stderr, err := archipel(t, append([]string{"islands", "-data", dir}, args...)...)
		return out + stderr, err
	}
	if out, err := operator("follow", "@Relay@mobilizon.example", "-zones", "FR-42", "-policy", "review", "-online"); err != nil || !strings.Contains(out, "relay@mobilizon.example") {
		t.Fatal(out, err)
	}
	out, err := operator("list")
	if err != nil || !strings.Contains(out, "plain ActivityPub: not found yet") || !strings.Contains(out, "we follow it: asked") || !strings.Contains(out, "not told yet: Follow") || !strings.Contains(out, "FR-42") {
		t.Error(out, err)
	}
	for _, args := range [][]string{{"follow", "a b@x.example"}, {"follow", "relay@mobilizon.example", "-kinds", "place"}, {"follow", "relay@mobilizon.example", "-policy", "maybe"}, {"follow"}, {"end", "relay@autre.example"}} {
		if out, err := operator(args...); err == nil {
			t.Errorf("%v is no error: %s", args, out)
		}
	}
	for _, args := range [][]string{{"policy", "relay@mobilizon.example", "show"}, {"end", "relay@mobilizon.example"}} {
		if out, err := operator(args...); err != nil {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
	if out, err := operator("list"); err != nil || !strings.Contains(out, "we follow it: ended") {
		t.Error(out, err)
	}
}
