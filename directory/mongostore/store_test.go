package mongostore

import (
	"context"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/mongostore/mongotest"
	"archipel/directory/storetest"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// patient waits for a test server that a slow and shared machine holds up.
var patient = patience{selection: 2 * time.Minute, lost: 2 * time.Minute, read: 2 * time.Minute, write: 2 * time.Minute}

func openStore(ctx context.Context, uri string) (directory.Store, error) {
	return open(ctx, uri, options.Client(), patient)
}

func TestMain(m *testing.M) { storetest.Main(m, openStore) }

var backend = storetest.Backend{New: mongotest.Fresh, Open: openStore, Beside: 1} // the test server does one thing after the other

func TestStore(t *testing.T) {
	mongotest.Server(t)
	storetest.Run(t, backend)
}

func BenchmarkStore(b *testing.B) {
	mongotest.Server(b)
	storetest.Bench(b, backend)
}
