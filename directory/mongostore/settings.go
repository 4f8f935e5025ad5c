package mongostore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"archipel/directory"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Cursor returns a follower's durable position.
func (s *Store) Cursor(ctx context.Context, name string) (directory.Seq, error) {
	var doc struct{ At directory.Seq }
	err := s.do(ctx, s.wait.read, "cursor "+name, func(ctx context.Context) error {
		err := s.cursors.FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Decode(&doc)
		if err == mongo.ErrNoDocuments {
			return nil
		}
		return err
	})
	return doc.At, err
}

// SaveCursor makes a follower's position durable.
func (s *Store) SaveCursor(ctx context.Context, name string, at directory.Seq) error {
	return s.do(ctx, s.wait.write, "cursor "+name, func(ctx context.Context) error {
		_, err := s.cursors.UpdateOne(ctx, bson.D{{Key: "_id", Value: name}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: at}}}}, options.UpdateOne().SetUpsert(true))
		return err
	})
}

// MoveCursors makes several positions durable in one request. After a lost answer the driver may try again and find its own
// writes in its way: what stands where it was to go has been moved.
func (s *Store) MoveCursors(ctx context.Context, moves []directory.CursorMove) (stale []string, err error) {
	if len(moves) == 0 {
		return nil, nil
	}
	err = s.do(ctx, s.wait.write, "cursors", func(ctx context.Context) error {
		stale = nil
		models := make([]mongo.WriteModel, len(moves))
		for i, m := range moves {
			// With From 0 what is absent is inserted; what is there and elsewhere makes that a duplicate.
			models[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: m.Name}, {Key: "at", Value: m.From}}).
				SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: m.To}}}}).SetUpsert(m.From == 0)
		}
		res, err := s.cursors.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		var bulk mongo.BulkWriteException
		if errors.As(err, &bulk) && bulk.WriteConcernError == nil {
			other := false
			for _, w := range bulk.WriteErrors {
				other = other || !mongo.IsDuplicateKeyError(w.WriteError)
			}
			if !other {
				err = nil
			}
		}
		if err != nil || res != nil && len(bulk.WriteErrors) == 0 && res.MatchedCount+res.UpsertedCount == int64(len(moves)) {
			return err
		}
		names := make(bson.A, len(moves))
		for i, m := range moves {
			names[i] = m.Name
		}
		cur, err := s.cursors.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: names}}}})
		if err != nil {
			return err
		}
		var docs []struct {
			Name string        `bson:"_id"`
			At   directory.Seq `bson:"at"`
		}
		if err := cur.All(ctx, &docs); err != nil {
			return err
		}
		at := make(map[string]directory.Seq, len(docs))
		for _, d := range docs {
			at[d.Name] = d.At
		}
		for _, m := range moves {
			if at[m.Name] != m.To {
				stale = append(stale, m.Name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stale, nil
}

// setting holds a document as the text it was given as, so that it comes back byte for byte.
type setting struct {
	Key   string `bson:"_id"`
	Rev   int64  `bson:"rev"`
	Value string `bson:"value"`
}

// Setting returns a document and its revision, nil and 0 when absent.
func (s *Store) Setting(ctx context.Context, key string) (value []byte, rev int64, err error) {
	var doc setting
	err = s.do(ctx, s.wait.read, "setting "+key, func(ctx context.Context) error {
		err := s.settings.FindOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&doc)
		if err == mongo.ErrNoDocuments {
			return nil
		}
		return err
	})
	if err != nil || doc.Rev == 0 {
		return nil, 0, err
	}
	return []byte(doc.Value), doc.Rev, nil
}

// PutSetting writes value if the stored revision is rev. After a lost answer the driver may try again and be told that
// its own write stands in its way: then this reports ErrStale, and the caller reads again.
func (s *Store) PutSetting(ctx context.Context, key string, value []byte, rev int64) error {
	if !json.Valid(value) {
		return fmt.Errorf("setting %s: the value is not JSON", key)
	}
	return s.do(ctx, s.wait.write, "setting "+key, func(ctx context.Context) error {
		if rev == 0 {
			_, err := s.settings.InsertOne(ctx, setting{key, 1, string(value)})
			if mongo.IsDuplicateKeyError(err) {
				return fmt.Errorf("%w: it exists", directory.ErrStale)
			}
			return err
		}
		res, err := s.settings.UpdateOne(ctx, bson.D{{Key: "_id", Value: key}, {Key: "rev", Value: rev}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "rev", Value: rev + 1}, {Key: "value", Value: string(value)}}}})
		if err == nil && res.MatchedCount == 0 {
			return fmt.Errorf("%w: revision %d does not stand", directory.ErrStale, rev)
		}
		return err
	})
}

// Settings returns the keys of all settings, sorted.
func (s *Store) Settings(ctx context.Context) (keys []string, err error) {
	err = s.do(ctx, s.wait.read, "settings", func(ctx context.Context) error {
		cur, err := s.settings.Find(ctx, bson.D{}, options.Find().SetSort(ascending).SetProjection(ascending))
		if err != nil {
			return err
		}
		var docs []setting
		if err := cur.All(ctx, &docs); err != nil {
			return err
		}
		for _, d := range docs {
			keys = append(keys, d.Key)
		}
		return nil
	})
	return keys, err
}
