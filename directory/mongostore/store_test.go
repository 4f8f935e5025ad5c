package mongostore

import (
	"context"
	"testing"

	"archipel/directory"
	"archipel/directory/mongostore/mongotest"
	"archipel/directory/storetest"
)

func openStore(ctx context.Context, uri string) (directory.Store, error) { return Open(ctx, uri) }

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
