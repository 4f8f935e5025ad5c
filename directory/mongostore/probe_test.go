package mongostore

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The promises of the suite hold on MongoDB. A server that stands in for it in tests may not be able to show some of
// them: probes find out, so that a skipped test says why, and runs as soon as the server can.

func scratch(t testing.TB) *mongo.Database {
	t.Helper()
	uri := fresh(t)
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Disconnect(context.Background()) })
	_, name := place(uri)
	return c.Database(name)
}

// lacks probes what tests of the suite need.
func lacks(t testing.TB) map[string]string {
	t.Helper()
	out := make(map[string]string)
	if why := readersWait(t); why != "" {
		out["ReadWhileWriting"] = why
	}
	return out
}

// readersWait tells whether the server lets a reader wait for a writer of the same collection.
func readersWait(t testing.TB) string {
	t.Helper()
	ctx := context.Background()
	coll := scratch(t).Collection("probe")
	if _, err := coll.InsertOne(ctx, bson.D{{Key: "_id", Value: -1}}); err != nil {
		t.Fatal(err)
	}
	var models []mongo.WriteModel
	for i := range 3000 {
		models = append(models, mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: i}}).SetReplacement(bson.D{{Key: "a", Value: i}}).SetUpsert(true))
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	start := time.Now()
	wg.Go(func() {
		defer close(done)
		if _, err := coll.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
			t.Error(err)
		}
	})
	var worst time.Duration
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
			one := time.Now()
			if err := coll.FindOne(ctx, bson.D{{Key: "_id", Value: -1}}).Err(); err != nil {
				t.Error(err)
			}
			worst = max(worst, time.Since(one))
		}
	}
	wg.Wait()
	if took := time.Since(start); worst > 20*time.Millisecond && worst > took/4 {
		return fmt.Sprintf("a read waited %v of the %v that a write took: it locks the collection", worst.Round(time.Millisecond), took.Round(time.Millisecond))
	}
	return ""
}

// cannotExplain tells why explain says nothing about indexes on this server, or is empty.
func cannotExplain(t testing.TB, db *mongo.Database) string {
	t.Helper()
	var out bson.M
	err := db.RunCommand(context.Background(), bson.D{{Key: "explain", Value: bson.D{{Key: "find", Value: "changes"}, {Key: "filter", Value: bson.D{}}}}}).Decode(&out)
	if err != nil {
		return "the server has no explain: " + err.Error()
	}
	if out["queryPlanner"] == nil {
		return "the server's explain has no queryPlanner"
	}
	return ""
}
