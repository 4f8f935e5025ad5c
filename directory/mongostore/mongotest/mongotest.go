// Package mongotest gives tests a MongoDB to themselves.
package mongotest

import (
	"context"
	"os"
	"strings"
	"testing"

	"archipel/directory"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Server is the address of the MongoDB to test with, from TEST_MONGODB_URI. Without one the test is skipped; under CI=true it
// fails.
func Server(t testing.TB) string {
	t.Helper()
	uri := os.Getenv("TEST_MONGODB_URI")
	if uri == "" {
		const why = "TEST_MONGODB_URI is not set: scripts/mongo/with starts a server and sets it"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return uri
}

// Fresh is the address of an empty database of the test's own, dropped when it ends. It skips or fails as [Server] does.
func Fresh(t testing.TB) string {
	t.Helper()
	uri := Server(t)
	name := "archipel_test_" + strings.ReplaceAll(string(directory.NewID()), "-", "")
	base, query, _ := strings.Cut(uri, "?")
	scheme, rest, _ := strings.Cut(base, "://")
	hosts, _, _ := strings.Cut(rest, "/")
	own := scheme + "://" + hosts + "/" + name
	if query != "" {
		own += "?" + query
	}
	t.Cleanup(func() {
		c, err := mongo.Connect(options.Client().ApplyURI(own))
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.Disconnect(context.Background()) }()
		if err := c.Database(name).Drop(context.Background()); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	})
	return own
}
