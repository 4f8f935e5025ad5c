package mongostore

import (
	"context"
	"os"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/directory/storetest"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func openStore(ctx context.Context, uri string) (directory.Store, error) { return Open(ctx, uri) }

func TestMain(m *testing.M) { storetest.Main(m, openStore) }

// server is the address of the MongoDB to test with, without a database.
func server(t testing.TB) string {
	t.Helper()
	uri := os.Getenv("TEST_MONGODB_URI")
	if uri == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("TEST_MONGODB_URI is not set: scripts/mongo/with starts a server and sets it")
		}
		t.Skip("TEST_MONGODB_URI is not set: scripts/mongo/with starts a server and sets it")
	}
	return uri
}

// fresh is the address of a database of the test's own, dropped when it ends.
func fresh(t testing.TB) string {
	t.Helper()
	uri := server(t)
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
		defer c.Disconnect(context.Background())
		if err := c.Database(name).Drop(context.Background()); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	})
	return own
}

var backend = storetest.Backend{New: fresh, Open: openStore}

func TestStore(t *testing.T) {
	server(t)
	storetest.Run(t, backend)
}

func BenchmarkStore(b *testing.B) {
	server(b)
	storetest.Bench(b, backend)
}
