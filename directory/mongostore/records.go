package mongostore

import (
	"context"
	"fmt"
	"time"

	"archipel/directory"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// recordID orders records by kind, then key: MongoDB compares embedded documents field by field, strings by their bytes.
type recordID struct {
	Kind string `bson:"kind"`
	Key  string `bson:"key"`
}

// record holds a document as the text it was given as. The server erases it some time after expires.
type record struct {
	ID      recordID   `bson:"_id"`
	Rev     int64      `bson:"rev"`
	Expires *time.Time `bson:"expires,omitempty"`
	Value   string     `bson:"value"`
}

func (r *record) out() directory.Record {
	out := directory.Record{Key: r.ID.Key, Value: []byte(r.Value), Rev: r.Rev}
	if r.Expires != nil {
		out.Expires = r.Expires.UTC()
	}
	return out
}

func (s *Store) records() *mongo.Collection { return s.settings.Database().Collection("records") }

// recordsIndex lets the server erase what expired.
func (s *Store) recordsIndex(ctx context.Context) error {
	return s.do(ctx, indexTimeout, "index on records", func(ctx context.Context) error {
		_, err := s.records().Indexes().CreateOne(ctx, mongo.IndexModel{
			Keys: bson.D{{Key: "expires", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(0),
		})
		return err
	})
}

// living is the part of a filter that leaves expired records out.
func living() bson.E {
	return bson.E{Key: "$or", Value: bson.A{
		bson.D{{Key: "expires", Value: bson.D{{Key: "$exists", Value: false}}}},
		bson.D{{Key: "expires", Value: bson.D{{Key: "$gt", Value: time.Now()}}}},
	}}
}

// Record returns a record, with Rev 0 when absent.
func (s *Store) Record(ctx context.Context, kind, key string) (directory.Record, error) {
	doc := record{ID: recordID{kind, key}}
	err := s.do(ctx, s.wait.read, "record "+kind, func(ctx context.Context) error {
		err := s.records().FindOne(ctx, bson.D{{Key: "_id", Value: recordID{kind, key}}, living()}).Decode(&doc)
		if err == mongo.ErrNoDocuments {
			return nil
		}
		return err
	})
	if err != nil || doc.Rev == 0 {
		return directory.Record{Key: key}, err
	}
	return doc.out(), nil
}

// PutRecord writes r if the stored revision is r.Rev. After a lost answer the driver may try again and be told that its
// own write stands in its way: then this reports ErrStale, and the caller reads again.
func (s *Store) PutRecord(ctx context.Context, kind string, r directory.Record) error {
	if err := directory.CheckRecord(kind, r); err != nil {
		return err
	}
	id := recordID{kind, r.Key}
	doc := record{ID: id, Rev: r.Rev + 1, Value: string(r.Value)}
	if !r.Expires.IsZero() {
		at := r.Expires.UTC()
		doc.Expires = &at
	}
	return s.do(ctx, s.wait.write, "record "+kind, func(ctx context.Context) error {
		filter := bson.D{{Key: "_id", Value: id}, {Key: "rev", Value: r.Rev}, living()}
		if r.Rev == 0 {
			_, err := s.records().InsertOne(ctx, doc)
			if !mongo.IsDuplicateKeyError(err) {
				return err
			}
			// What is in the way may have expired and not been erased yet.
			filter = bson.D{{Key: "_id", Value: id}, {Key: "expires", Value: bson.D{{Key: "$lte", Value: time.Now()}}}}
		}
		res, err := s.records().ReplaceOne(ctx, filter, doc)
		if err == nil && res.MatchedCount == 0 {
			return fmt.Errorf("%w: revision %d does not stand", directory.ErrStale, r.Rev)
		}
		return err
	})
}

// DeleteRecord erases a record if the stored revision is rev, or rev is 0.
func (s *Store) DeleteRecord(ctx context.Context, kind, key string, rev int64) error {
	filter := bson.D{{Key: "_id", Value: recordID{kind, key}}}
	if rev != 0 {
		filter = append(filter, bson.E{Key: "rev", Value: rev}, living())
	}
	return s.do(ctx, s.wait.write, "record "+kind, func(ctx context.Context) error {
		res, err := s.records().DeleteOne(ctx, filter)
		if err == nil && rev != 0 && res.DeletedCount == 0 {
			return fmt.Errorf("%w: revision %d does not stand", directory.ErrStale, rev)
		}
		return err
	})
}

// Records returns up to limit records of a kind after a key, ascending.
func (s *Store) Records(ctx context.Context, kind, after string, limit int) (out []directory.Record, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = s.do(ctx, s.wait.read, "records "+kind, func(ctx context.Context) error {
		within := bson.D{{Key: "$gt", Value: recordID{kind, after}}, {Key: "$lt", Value: recordID{kind + "\x00", ""}}}
		cur, err := s.records().Find(ctx, bson.D{{Key: "_id", Value: within}, living()}, options.Find().SetSort(ascending).SetLimit(int64(limit)))
		if err != nil {
			return err
		}
		var docs []record
		if err := cur.All(ctx, &docs); err != nil {
			return err
		}
		for i := range docs {
			out = append(out, docs[i].out())
		}
		return nil
	})
	return out, err
}

// RecordKinds returns the kinds that have records, sorted.
func (s *Store) RecordKinds(ctx context.Context) (kinds []string, err error) {
	err = s.do(ctx, s.wait.read, "kinds of records", func(ctx context.Context) error {
		for last := ""; ; {
			// From one kind to the next by the index, whatever the number of records.
			var doc record
			err := s.records().FindOne(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: recordID{last + "\x00", ""}}}}, living()},
				options.FindOne().SetSort(ascending).SetProjection(ascending)).Decode(&doc)
			if err == mongo.ErrNoDocuments {
				return nil
			}
			if err != nil {
				return err
			}
			last = doc.ID.Kind
			kinds = append(kinds, last)
		}
	})
	return kinds, err
}
