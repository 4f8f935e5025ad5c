package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"archipel/directory"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The marker is the document "projected" of the collection state: all changes up to its seq are in entries. A writer
// moves it on after projecting its changes, if nothing before them is missing, and else projects what is missing, for
// the writer before may have died. A reader who finds it behind the log reads the rest from the log.

// MaxIDs is how many ids [Store.Entries] takes.
const MaxIDs = 500

// raise lets v grow to at least to.
func raise(v *atomic.Int64, to directory.Seq) {
	for old := v.Load(); old < int64(to); old = v.Load() {
		if v.CompareAndSwap(old, int64(to)) {
			return
		}
	}
}

// project writes the entries of changes after, which are in the log, and moves the marker.
func (s *Store) project(ctx context.Context, after directory.Seq, changes []directory.Change) error {
	last := after + directory.Seq(len(changes))
	if err := s.upsert(ctx, changes); err != nil {
		return err
	}
	var moved bool
	err := s.do(ctx, s.wait.write, "projection", func(ctx context.Context) error {
		// Only from after onwards: what another writer has not projected yet must stay visible as missing.
		res, err := s.state.UpdateOne(ctx, bson.D{{Key: "_id", Value: "projected"}, {Key: "seq", Value: bson.D{{Key: "$gte", Value: after}}}},
			bson.D{{Key: "$max", Value: bson.D{{Key: "seq", Value: last}}}})
		moved = err == nil && res.MatchedCount > 0
		return err
	})
	if moved {
		raise(&s.projected, last)
		return nil
	}
	if err != nil {
		return err
	}
	return s.catchUp(ctx, last)
}

// catchUp sees to it that all changes up to a Seq are in entries.
func (s *Store) catchUp(ctx context.Context, upTo directory.Seq) error {
	if directory.Seq(s.projected.Load()) >= upTo {
		return nil
	}
	from, err := s.marker(ctx)
	if err != nil {
		return err
	}
	for from < upTo {
		page, err := s.Changes(ctx, from, 500)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return fmt.Errorf("projection: %w: change %d is missing", directory.ErrCorrupt, from+1)
		}
		if err := s.upsert(ctx, page); err != nil {
			return err
		}
		from = page[len(page)-1].Seq
		err = s.do(ctx, s.wait.write, "projection", func(ctx context.Context) error {
			_, err := s.state.UpdateOne(ctx, bson.D{{Key: "_id", Value: "projected"}},
				bson.D{{Key: "$max", Value: bson.D{{Key: "seq", Value: from}}}}, options.UpdateOne().SetUpsert(true))
			if mongo.IsDuplicateKeyError(err) { // two upserts met: the document is there now
				_, err = s.state.UpdateOne(ctx, bson.D{{Key: "_id", Value: "projected"}}, bson.D{{Key: "$max", Value: bson.D{{Key: "seq", Value: from}}}})
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	raise(&s.projected, from)
	return nil
}

func (s *Store) marker(ctx context.Context) (directory.Seq, error) {
	var doc struct{ Seq directory.Seq }
	err := s.do(ctx, s.wait.read, "projection", func(ctx context.Context) error {
		err := s.state.FindOne(ctx, bson.D{{Key: "_id", Value: "projected"}}).Decode(&doc)
		if err == mongo.ErrNoDocuments {
			return nil
		}
		return err
	})
	return doc.Seq, err
}

// upsert brings entries to at least the states that changes give them. It may run twice and in any order: a document
// that is as new or newer stays.
func (s *Store) upsert(ctx context.Context, changes []directory.Change) error {
	newest := make(map[directory.ID]*directory.Change, len(changes))
	for i := range changes {
		newest[changes[i].Entry.ID] = &changes[i]
	}
	var models, guarded []mongo.WriteModel
	for i := range changes {
		e := &changes[i].Entry
		if newest[e.ID] != &changes[i] {
			continue
		}
		doc, err := s.codec.marshal(featureOf(e))
		if err != nil {
			return fmt.Errorf("project %s: %w", e.ID, err)
		}
		older := bson.D{{Key: "_id", Value: e.ID}, {Key: "properties.version", Value: bson.D{{Key: "$lt", Value: e.Version}}}}
		guarded = append(guarded, mongo.NewReplaceOneModel().SetFilter(older).SetReplacement(doc))
		if changes[i].Op == directory.OpCreate {
			models = append(models, mongo.NewInsertOneModel().SetDocument(doc)) // most of an import, and cheaper
		} else {
			models = append(models, mongo.NewReplaceOneModel().SetFilter(older).SetReplacement(doc).SetUpsert(true))
		}
	}
	exist, err := s.bulk(ctx, models)
	if err != nil || len(exist) == 0 {
		return err
	}
	// These documents exist and are as new, or another writer inserted an older one in this moment: then replace that.
	var again []mongo.WriteModel
	for _, i := range exist {
		again = append(again, guarded[i])
	}
	_, err = s.bulk(ctx, again)
	return err
}

// bulk writes entries, and returns the places of those models whose _id exists in a document that they do not match.
func (s *Store) bulk(ctx context.Context, models []mongo.WriteModel) (exist []int, err error) {
	err = s.do(ctx, s.wait.write, "projection", func(ctx context.Context) error {
		_, err := s.entries.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		var bulk mongo.BulkWriteException
		if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
			return err
		}
		for _, w := range bulk.WriteErrors {
			if !w.HasErrorCode(11000) {
				return err
			}
			exist = append(exist, w.Index)
		}
		return nil
	})
	return exist, err
}

// Entries returns the entries of ids, in their order, without unknown ones.
func (s *Store) Entries(ctx context.Context, ids []directory.ID) ([]directory.Entry, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if len(ids) > MaxIDs {
		return nil, fmt.Errorf("entries: %d ids: want at most %d", len(ids), MaxIDs)
	}
	head, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	from := directory.Seq(s.projected.Load())
	if from < head {
		if from, err = s.marker(ctx); err != nil {
			return nil, err
		}
		raise(&s.projected, from)
	}
	found := make(map[directory.ID]directory.Entry, len(ids))
	if err := s.stored(ctx, ids, found); err != nil {
		return nil, err
	}
	if from < head {
		blank, err := s.pending(ctx, ids, from, head, found)
		if err != nil {
			return nil, err
		}
		if blank { // redacted since the marker was read: by now what stands is among the entries
			if err := s.catchUp(ctx, head); err != nil {
				return nil, err
			}
			if err := s.stored(ctx, ids, found); err != nil {
				return nil, err
			}
		}
	}
	out := make([]directory.Entry, 0, len(found))
	for _, id := range ids {
		if e, ok := found[id]; ok {
			out = append(out, e)
		}
	}
	return out, nil
}

// stored reads entries into found.
func (s *Store) stored(ctx context.Context, ids []directory.ID, found map[directory.ID]directory.Entry) error {
	return s.do(ctx, s.wait.read, "entries", func(ctx context.Context) error {
		cur, err := s.entries.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
		if err != nil {
			return err
		}
		defer cur.Close(ctx)
		for cur.Next(ctx) {
			var e directory.Entry
			if err := s.codec.entry(cur.Current, &e); err != nil {
				return err
			}
			found[e.ID] = e
		}
		return cur.Err()
	})
}

// pending overlays found with what the log says of ids with after < Seq <= last, where the projection may lag: reading
// it there costs a visitor less than completing the projection. It reports whether there were redacted changes, which
// it leaves out.
func (s *Store) pending(ctx context.Context, ids []directory.ID, after, last directory.Seq, found map[directory.ID]directory.Entry) (blank bool, err error) {
	filter := append(bson.D{{Key: "entry._id", Value: bson.D{{Key: "$in", Value: ids}}}}, between(after, last)...)
	err = s.do(ctx, s.wait.read, "entries", func(ctx context.Context) error {
		cur, err := s.changes.Find(ctx, filter)
		if err != nil {
			return err
		}
		defer cur.Close(ctx)
		for cur.Next(ctx) {
			var c directory.Change
			if err := s.codec.change(cur.Current, &c); err != nil {
				return err
			}
			if c.Redacted {
				blank = true
			} else if old, ok := found[c.Entry.ID]; !ok || old.Version < c.Entry.Version {
				found[c.Entry.ID] = c.Entry
			}
		}
		return cur.Err()
	})
	return blank, err
}

// scanBatch is how many entries fn receives at once.
const scanBatch = 1000

// Scan calls fn with all entries by ascending ID.
func (s *Store) Scan(ctx context.Context, after directory.ID, fn func([]directory.Entry) error) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	if err := s.catchUp(ctx, head); err != nil {
		return err
	}
	return directory.ScanPages(ctx, after, s.readPage, s.decodeAll, fn)
}

func (s *Store) readPage(ctx context.Context, after directory.ID) (raws []bson.Raw, last directory.ID, err error) {
	err = s.do(ctx, s.wait.read, "scan", func(ctx context.Context) error {
		cur, err := s.entries.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
			options.Find().SetSort(ascending).SetLimit(scanBatch).SetBatchSize(scanBatch))
		if err != nil {
			return err
		}
		defer cur.Close(ctx)
		for cur.Next(ctx) {
			raws = append(raws, slices.Clone(cur.Current))
		}
		return cur.Err()
	})
	if len(raws) > 0 {
		last = directory.ID(raws[len(raws)-1].Lookup("_id").StringValue())
	}
	return raws, last, err
}

func (s *Store) decodeAll(raws []bson.Raw) ([]directory.Entry, error) {
	entries := make([]directory.Entry, len(raws))
	for i, raw := range raws {
		if err := s.codec.entry(raw, &entries[i]); err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
	}
	return entries, nil
}
