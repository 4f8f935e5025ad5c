// Package mongostore keeps a directory in MongoDB: the production store, which several nodes share.
//
// It needs no transactions and no change streams: the log is ordered by the unique insert of its next number. Entries
// are GeoJSON Features with a 2dsphere index, for other programs to query. Every query of this package is served by a
// declared index; writes are acknowledged by a majority and journaled.
package mongostore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"archipel/directory"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// DefaultDatabase is the database of a URI that names none.
const DefaultDatabase = "archipel"

// indexTimeout is how long the server may take to build an index on a large collection.
const indexTimeout = 10 * time.Minute

// patience is how long the server may take. A request of a visitor waits at most read for a server that went away.
type patience struct {
	selection time.Duration
	lost      time.Duration // while there is no server: one visitor waited already
	read      time.Duration
	write     time.Duration
}

var usual = patience{selection: 4 * time.Second, lost: time.Second, read: 5 * time.Second, write: 15 * time.Second}

// schemaVersion is the layout of the collections that this program knows.
const schemaVersion = 1

// Store is a [directory.Store] in one MongoDB database.
type Store struct {
	where  string // hosts and database, without credentials, for messages
	client *mongo.Client
	codec  codec
	wait   patience

	changes, entries, state, cursors, settings *mongo.Collection

	known     atomic.Int64 // a Seq that the log is known to reach: it never shrinks
	projected atomic.Int64 // all changes up to this Seq are known to be in entries
	lost      atomic.Int64 // when a server was last looked for in vain, in nanoseconds
	closed    atomic.Bool
}

var _ directory.Store = (*Store)(nil)

// Open connects to the database that a connection string names ("mongodb://host/database"), and makes its collections
// and indexes where they are missing. The error wraps [directory.ErrUnavailable] when the server does not answer, or
// refuses, within seconds, and [directory.ErrCorrupt] when a newer version of this program laid the database out.
func Open(ctx context.Context, uri string) (*Store, error) {
	return open(ctx, uri, options.Client(), usual)
}

func open(ctx context.Context, uri string, opts *options.ClientOptions, wait patience) (*Store, error) {
	where, database := place(uri)
	opts.ApplyURI(uri).
		SetAppName("archipel").
		SetServerSelectionTimeout(wait.selection).
		SetConnectTimeout(wait.selection).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority())
	journaled := true
	opts.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled})
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("MongoDB address: %s", withoutSecrets(uri, err))
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fmt.Errorf("MongoDB at %s: %s", where, withoutSecrets(uri, err))
	}
	db := client.Database(database)
	s := &Store{where: where, client: client, codec: newCodec(), wait: wait,
		changes: db.Collection("changes"), entries: db.Collection("entries"), state: db.Collection("state"),
		cursors: db.Collection("cursors"), settings: db.Collection("settings")}
	if err := s.prepare(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// place splits a connection string into what messages may show and the name of the database.
func place(uri string) (where, database string) {
	_, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	hosts, database, _ := strings.Cut(rest, "/")
	hosts = hosts[strings.LastIndexByte(hosts, '@')+1:]
	if database == "" {
		database = DefaultDatabase
	}
	return hosts + "/" + database, database
}

// withoutSecrets is err's text without the credentials of uri.
func withoutSecrets(uri string, err error) string {
	_, rest, _ := strings.Cut(uri, "://")
	user := rest[:strings.LastIndexByte(rest, '@')+1]
	text := strings.Join(strings.Fields(err.Error()), " ")
	if user == "" {
		return text
	}
	return strings.NewReplacer(uri, "(the address)", user, "").Replace(text)
}

// indexes are all that queries may use, beside _id. On entries they serve other programs: ours ask by _id only.
var indexes = map[string][]bson.D{
	"changes": {
		{{Key: "entry._id", Value: 1}, {Key: "_id", Value: 1}}, // history
		{{Key: "batch", Value: 1}, {Key: "_id", Value: 1}},     // import batches
	},
	"entries": {
		{{Key: "geometry", Value: "2dsphere"}},
		{{Key: "properties.slug", Value: 1}},
		{{Key: "properties.categories", Value: 1}},
	},
}

// prepare finds out at once whether the server is there, allows writing and was laid out by a version we know. Indexes
// and entries that are missing may take as long as there is progress.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.checkLayout(ctx); err != nil {
		return err
	}
	for name, keys := range indexes {
		models := make([]mongo.IndexModel, len(keys))
		for i, k := range keys {
			models[i] = mongo.IndexModel{Keys: k}
		}
		err := s.do(ctx, indexTimeout, "index on "+name, func(ctx context.Context) error {
			_, err := s.changes.Database().Collection(name).Indexes().CreateMany(ctx, models)
			return err
		})
		if err != nil {
			return s.openError(err)
		}
	}
	if err := s.recordsIndex(ctx); err != nil {
		return s.openError(err)
	}
	head, err := s.Head(ctx)
	if err != nil {
		return s.openError(err)
	}
	if err := s.catchUp(ctx, head); err != nil {
		return s.openError(err)
	}
	return nil
}

func (s *Store) checkLayout(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.wait.selection+time.Second)
	defer cancel()
	if err := s.client.Ping(ctx, nil); err != nil {
		return s.openError(err)
	}
	_, err := s.state.UpdateOne(ctx, bson.D{{Key: "_id", Value: "schema"}},
		bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "version", Value: int64(schemaVersion)}}}}, options.UpdateOne().SetUpsert(true))
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return s.openError(err)
	}
	var schema struct{ Version int64 }
	if err := s.state.FindOne(ctx, bson.D{{Key: "_id", Value: "schema"}}).Decode(&schema); err != nil {
		return s.openError(err)
	}
	if schema.Version != schemaVersion {
		return fmt.Errorf("MongoDB at %s: %w: its layout has version %d, this program knows version %d; use a newer one",
			s.where, directory.ErrCorrupt, schema.Version, schemaVersion)
	}
	return nil
}

// openError is one line for the person who starts the program.
func (s *Store) openError(err error) error {
	if errors.Is(err, directory.ErrCorrupt) || errors.Is(err, directory.ErrFull) {
		return fmt.Errorf("MongoDB at %s: %w", s.where, err)
	}
	return fmt.Errorf("MongoDB at %s: %w: %s", s.where, directory.ErrUnavailable, reason(err))
}

// reason shortens what the driver says of a server that it cannot reach: only its last error helps a reader.
func reason(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if i := strings.LastIndex(text, "Last error: "); i >= 0 {
		text = strings.TrimRight(text[i+len("Last error: "):], " ,]}")
	}
	return text
}

// Ping reports whether the primary answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, s.wait.read, "ping", func(ctx context.Context) error { return s.client.Ping(ctx, nil) })
}

// Close ends the connections. Closing twice does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.wait.read)
	defer cancel()
	return s.client.Disconnect(ctx)
}

// do runs one operation for at most limit, and translates its error.
func (s *Store) do(ctx context.Context, limit time.Duration, op string, f func(context.Context) error) error {
	if s.closed.Load() {
		return fmt.Errorf("%s: %w: closed", op, directory.ErrUnavailable)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	if time.Since(time.Unix(0, s.lost.Load())) < 5*time.Second {
		limit = min(limit, s.wait.lost)
	}
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f(inner)
	if err == nil {
		s.lost.Store(0)
		return nil
	}
	if strings.Contains(err.Error(), "server selection error") && ctx.Err() == nil {
		s.lost.Store(time.Now().UnixNano())
	}
	if own, ok := inner.Deadline(); ok && errors.Is(err, context.DeadlineExceeded) {
		// The driver gives up a little before a deadline. It is the caller's, unless ours comes first.
		if callers, ok := ctx.Deadline(); ok && !own.Before(callers) {
			return fmt.Errorf("%s: %w", op, context.DeadlineExceeded)
		}
	}
	return s.fail(ctx, op, err)
}
