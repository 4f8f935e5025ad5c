package mongostore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"archipel/directory"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

func TestClassify(t *testing.T) {
	code := func(n int32, message string) error { return mongo.CommandError{Code: n, Message: message} }
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"no space", code(14031, "Cannot create collection: out of disk space"), directory.ErrFull},
		{"no space in a batch", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: mongo.WriteError{Code: 14031}}}}, directory.ErrFull},
		{"hosted quota", code(8000, "you are over your space quota, using 512 MB of 512 MB"), directory.ErrFull},
		{"stepped down", code(10107, "not primary"), directory.ErrUnavailable},
		{"shutting down", code(91, "shutdown in progress"), directory.ErrUnavailable},
		{"wrong password", code(18, "Authentication failed."), directory.ErrUnavailable},
		{"no majority", mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64, Message: "waiting for replication timed out"}}, directory.ErrUnavailable},
		{"line cut", mongo.CommandError{Labels: []string{"NetworkError"}, Wrapped: io.ErrUnexpectedEOF}, directory.ErrUnavailable},
		{"our deadline", fmt.Errorf("find: %w", context.DeadlineExceeded), directory.ErrUnavailable},
		{"disconnected", mongo.ErrClientDisconnected, directory.ErrUnavailable},
		{"a number that is taken", mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 11000}}}, nil},
		{"too large", code(10334, "BSONObjectTooLarge"), nil},
	} {
		if got := classify(tt.err); got != tt.want {
			t.Errorf("%s: classify = %v, want %v", tt.name, got, tt.want)
		}
	}
	// A deadline of ours is not the caller's.
	err := new(Store).fail(context.Background(), "entries", context.DeadlineExceeded)
	if !errors.Is(err, directory.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("our deadline becomes %v", err)
	}
}

func TestPlace(t *testing.T) {
	for uri, want := range map[string][2]string{
		"mongodb://localhost":  {"localhost/archipel", "archipel"},
		"mongodb://localhost/": {"localhost/archipel", "archipel"},
		"mongodb://u:p%2F@a:1,b:2/loire?replicaSet=rs0&x=a/b@c": {"a:1,b:2/loire", "loire"},
		"mongodb+srv://u:p@cluster.example.net/?w=majority":     {"cluster.example.net/archipel", "archipel"},
	} {
		where, database := place(uri)
		if got := [2]string{where, database}; got != want {
			t.Errorf("place(%s) = %q, want %q", uri, got, want)
		}
	}
}
