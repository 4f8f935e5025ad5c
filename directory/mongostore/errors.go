package mongostore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"archipel/directory"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// fail adds what was tried to err, and the directory's word for what went wrong. ctx is the caller's.
func (s *Store) fail(ctx context.Context, op string, err error) error {
	if s.closed.Load() {
		return fmt.Errorf("%s: %w: closed", op, directory.ErrUnavailable)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	for _, known := range []error{directory.ErrUnavailable, directory.ErrFull, directory.ErrCorrupt, directory.ErrStale} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if kind := classify(err); kind != nil {
		// Not wrapped: a deadline of ours in it is not the caller's.
		return fmt.Errorf("%s: %w: %s", op, kind, reason(err))
	}
	return fmt.Errorf("%s: %w", op, err)
}

// away are the server's codes for "not now, not here": it stops, is no primary, was not obeyed by a majority, or refuses
// us (see MongoDB's error_codes.yml).
var away = []int{6, 7, 11, 13, 18, 50, 64, 89, 91, 100, 112, 133, 134, 189, 202, 262, 317, 9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436}

// classify returns the sentinel that err stands for, or nil.
func classify(err error) error {
	var se mongo.ServerError
	if !errors.As(err, &se) {
		return directory.ErrUnavailable // what does not come from the server is about reaching it
	}
	text := err.Error()
	if se.HasErrorCode(14031) || strings.Contains(text, "space quota") || strings.Contains(text, "No space left") {
		return directory.ErrFull // OutOfDiskSpace
	}
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) {
		return directory.ErrUnavailable
	}
	for _, code := range away {
		if se.HasErrorCode(code) {
			return directory.ErrUnavailable
		}
	}
	return nil
}
