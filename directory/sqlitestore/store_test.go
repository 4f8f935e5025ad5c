package sqlitestore

import (
	"context"
	"testing"

	"archipel/directory"
	"archipel/directory/storetest"
)

func openStore(ctx context.Context, dir string) (directory.Store, error) { return Open(ctx, dir) }

func TestMain(m *testing.M) { storetest.Main(m, openStore) }

var backend = storetest.Backend{
	New:  func(t testing.TB) string { return t.TempDir() },
	Open: openStore,

	Beside: 10,
}

func TestStore(t *testing.T) { storetest.Run(t, backend) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, backend) }
