package main

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeListsEveryOption keeps the table of the README true.
func TestReadmeListsEveryOption(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		value := ""
		if o.value != "" {
			value = "`" + o.value + "` "
		}
		if row := "| `-" + o.name + "` | `" + o.env + "` | " + value + "|"; !strings.Contains(string(b), row) {
			t.Errorf("README.md has no row %q", row)
		}
	}
	for _, c := range commands() {
		if c.name != "version" && c.name != "health" && c.name != "reindex" && !strings.Contains(string(b), "archipel "+c.name) && !strings.Contains(string(b), ". "+c.name) {
			t.Errorf("README.md does not show the command %s", c.name)
		}
	}
}
