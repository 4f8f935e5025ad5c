package meili_test

import (
	"testing"
	"time"

	"github.com/meilisearch/meilisearch-go"
)

func deleteIndex(t *testing.T, url, key, uid string) {
	t.Helper()
	c := meilisearch.New(url, meilisearch.WithAPIKey(key))
	info, err := c.DeleteIndex(uid)
	if err != nil {
		t.Fatalf("delete index: %v", err)
	}
	task, err := c.WaitForTaskWithContext(t.Context(), info.TaskUID, 5*time.Millisecond)
	if err != nil || task.Status != meilisearch.TaskStatusSucceeded {
		t.Fatalf("delete index: %+v, %v", task, err)
	}
}

// removeIndex leaves a server as it was; an index that is not there any more is no matter.
func removeIndex(url, key, uid string) {
	_, _ = meilisearch.New(url, meilisearch.WithAPIKey(key)).DeleteIndex(uid)
}
