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

var (
	ascending  = bson.D{{Key: "_id", Value: 1}}
	descending = bson.D{{Key: "_id", Value: -1}}
)

// Head returns the Seq of the newest change.
func (s *Store) Head(ctx context.Context) (head directory.Seq, err error) {
	err = s.do(ctx, s.wait.read, "head", func(ctx context.Context) error {
		var doc struct {
			Seq directory.Seq `bson:"_id"`
		}
		err := s.changes.FindOne(ctx, bson.D{}, options.FindOne().SetSort(descending).SetProjection(ascending)).Decode(&doc)
		if err == mongo.ErrNoDocuments {
			return nil
		}
		head = doc.Seq
		return err
	})
	if err == nil {
		raise(&s.known, head)
	}
	return head, err
}

// Append inserts changes in order; the server stops at the first number that is taken, so that no gap can arise.
func (s *Store) Append(ctx context.Context, after directory.Seq, changes []directory.Change) (stands int, err error) {
	docs, err := s.encode(after, changes)
	if err != nil {
		return 0, err
	}
	if len(changes) == 0 || directory.Seq(s.known.Load()) < after {
		// A number beyond the next one would leave a gap for ever.
		head, err := s.Head(ctx)
		if err != nil {
			return 0, err
		}
		if head < after || len(changes) == 0 && head != after {
			return 0, fmt.Errorf("append: %w: the newest change is %d, not %d", directory.ErrStale, head, after)
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	stands, err = s.insert(ctx, changes, docs)
	if stands > 0 {
		last := after + directory.Seq(stands)
		raise(&s.known, last)
		// The changes stand whatever becomes of their projection now: whoever reads next completes it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.wait.write)
		defer cancel()
		s.project(ctx, after, changes[:stands])
	}
	return stands, err
}

func (s *Store) encode(after directory.Seq, changes []directory.Change) ([]bson.Raw, error) {
	docs := make([]bson.Raw, len(changes))
	for i := range changes {
		c := &changes[i]
		if want := after + 1 + directory.Seq(i); c.Seq != want || c.Entry.Version != want {
			return nil, fmt.Errorf("append: change %d has seq %d and version %d: want %d", i, c.Seq, c.Entry.Version, want)
		}
		if c.ID == "" || c.Entry.ID == "" {
			return nil, fmt.Errorf("append: change %d has no id, or its entry has none", c.Seq)
		}
		// What has no JSON form (a coordinate that is no number) could be stored here and never leave again.
		if _, err := directory.EncodeStored(&c.Entry); err != nil {
			return nil, fmt.Errorf("append: entry %s: %w", c.Entry.ID, err)
		}
		var err error
		if docs[i], err = s.codec.marshal(change{c.Seq, *c, featureOf(&c.Entry)}); err != nil {
			return nil, fmt.Errorf("append: change %d: %w", c.Seq, err)
		}
	}
	return docs, nil
}

// insert writes docs, and finds out after any error which of them stand: the answer to a write may be lost on the way,
// and a driver that tries again gets its own number refused. The random id of a change tells whose it is.
func (s *Store) insert(ctx context.Context, changes []directory.Change, docs []bson.Raw) (stands int, err error) {
	deadline := time.Now().Add(s.wait.write)
	for try := 0; ; try++ {
		err = s.do(ctx, time.Until(deadline), "append", func(ctx context.Context) error {
			_, err := s.changes.InsertMany(ctx, docs[stands:])
			return err
		})
		if err == nil {
			return len(docs), nil
		}
		if s.closed.Load() {
			return stands, err
		}
		n, taken, lookErr := s.standing(ctx, changes[stands:])
		stands += n
		switch {
		case stands == len(docs):
			return stands, nil
		case ctx.Err() != nil:
			return stands, fmt.Errorf("append: %w", ctx.Err())
		case lookErr != nil:
			return stands, lookErr
		case taken:
			return stands, fmt.Errorf("append: %w: change %d is another's", directory.ErrStale, changes[stands].Seq)
		case n == 0 && !mongo.IsDuplicateKeyError(err) && try >= 2, time.Now().After(deadline):
			return stands, err
		}
		// Not written, or written and not yet seen by a majority: the same again is safe, and decides it.
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(min(try+1, 10)) * 20 * time.Millisecond):
		}
	}
}

// standing counts how many of changes are in the log, from the first on, and says whether the next place is another's.
// It answers for a caller who gave up too.
func (s *Store) standing(ctx context.Context, changes []directory.Change) (n int, taken bool, err error) {
	first, last := changes[0].Seq, changes[len(changes)-1].Seq
	err = s.do(context.WithoutCancel(ctx), s.wait.read, "append", func(ctx context.Context) error {
		cur, err := s.changes.Find(ctx, between(first-1, last), options.Find().SetSort(ascending).SetProjection(bson.D{{Key: "id", Value: 1}}))
		if err != nil {
			return err
		}
		var docs []struct {
			Seq directory.Seq `bson:"_id"`
			ID  string        `bson:"id"`
		}
		if err := cur.All(ctx, &docs); err != nil {
			return err
		}
		for i, d := range docs {
			if d.Seq != changes[i].Seq {
				return nil
			}
			if d.ID != changes[i].ID {
				taken = true
				return nil
			}
			n++
		}
		return nil
	})
	return n, taken, err
}

// between is the filter of changes with after < Seq <= last.
func between(after, last directory.Seq) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}, {Key: "$lte", Value: last}}}}
}

// Changes returns up to limit changes after a Seq, ascending.
func (s *Store) Changes(ctx context.Context, after directory.Seq, limit int) ([]directory.Change, error) {
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}
	for try := 0; ; try++ {
		out, err := s.find(ctx, "changes", filter, ascending, limit)
		if err != nil {
			return nil, err
		}
		whole := 0
		for whole < len(out) && out[whole].Seq == after+1+directory.Seq(whole) {
			whole++
		}
		if whole > 0 || len(out) == 0 {
			return out[:whole], nil // a reader that passed a place just before it was filled does not jump over it
		}
		if try == 3 {
			return nil, fmt.Errorf("changes: %w: change %d is missing", directory.ErrCorrupt, after+1)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("changes: %w", context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// History returns up to limit changes of one entry, newest first.
func (s *Store) History(ctx context.Context, id directory.ID, before directory.Seq, limit int) ([]directory.Change, error) {
	filter := bson.D{{Key: "entry._id", Value: id}}
	if before > 0 {
		filter = append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$lt", Value: before}}})
	}
	return s.find(ctx, "history of "+string(id), filter, bson.D{{Key: "entry._id", Value: -1}, {Key: "_id", Value: -1}}, limit)
}

// Batch returns up to limit changes of an import batch, ascending.
func (s *Store) Batch(ctx context.Context, batch string, after directory.Seq, limit int) ([]directory.Change, error) {
	if batch == "" {
		return nil, nil
	}
	filter := bson.D{{Key: "batch", Value: batch}, {Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}
	return s.find(ctx, "batch "+batch, filter, bson.D{{Key: "batch", Value: 1}, {Key: "_id", Value: 1}}, limit)
}

func (s *Store) find(ctx context.Context, op string, filter, sort bson.D, limit int) (out []directory.Change, err error) {
	if limit <= 0 {
		return nil, nil // MongoDB takes 0 for none
	}
	err = s.do(ctx, s.wait.read, op, func(ctx context.Context) error {
		cur, err := s.changes.Find(ctx, filter, options.Find().SetSort(sort).SetLimit(int64(limit)))
		if err != nil {
			return err
		}
		defer cur.Close(ctx)
		for cur.Next(ctx) {
			out = append(out, directory.Change{})
			if err := s.codec.change(cur.Current, &out[len(out)-1]); err != nil {
				return err
			}
		}
		return cur.Err()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Redact erases the content of an entry's changes up to a Seq.
func (s *Store) Redact(ctx context.Context, id directory.ID, upTo directory.Seq) (erased int, err error) {
	head, err := s.Head(ctx)
	if err != nil {
		return 0, err
	}
	// A change that a writer who died has not projected would reach the entries blank.
	if err := s.catchUp(ctx, head); err != nil {
		return 0, err
	}
	for before := upTo + 1; before > 1; {
		page, err := s.History(ctx, id, before, 100)
		if err != nil || len(page) == 0 {
			return erased, err
		}
		n, err := s.blank(ctx, page)
		erased += n
		if err != nil {
			return erased, err
		}
		before = page[len(page)-1].Seq
	}
	return erased, nil
}

func (s *Store) blank(ctx context.Context, page []directory.Change) (erased int, err error) {
	var models []mongo.WriteModel
	for i := range page {
		c := &page[i]
		if c.Redacted {
			continue
		}
		e := directory.Entry{ID: c.Entry.ID, Kind: c.Entry.Kind, Origin: c.Entry.Origin, Status: c.Entry.Status, Version: c.Entry.Version}
		doc, err := s.codec.marshal(featureOf(&e))
		if err != nil {
			return 0, fmt.Errorf("redact %s: %w", e.ID, err)
		}
		models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: c.Seq}}).SetUpdate(bson.D{
			{Key: "$set", Value: bson.D{{Key: "entry", Value: doc}, {Key: "redacted", Value: true}}},
			{Key: "$unset", Value: bson.D{{Key: "note", Value: ""}}}}))
	}
	if len(models) == 0 {
		return 0, nil
	}
	err = s.do(ctx, s.wait.write, "redact "+string(page[0].Entry.ID), func(ctx context.Context) error {
		res, err := s.changes.BulkWrite(ctx, models)
		if res != nil {
			erased = int(res.MatchedCount)
		}
		return err
	})
	return erased, err
}
