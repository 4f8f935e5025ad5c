package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"archipel/directory"
	"archipel/directory/media"
)

// kindVisitorPicture is the kind of the records of pictures that somebody without an account sent and that no entry has had
// yet; a key is the picture's name.
const kindVisitorPicture = "visitor-picture"

// visitorPictureLife is how long such a picture is kept when nothing refers to it: longer than a draft that may.
const visitorPictureLife = visitorDraftLife + 24*time.Hour

type visitorPicture struct {
	At time.Time `json:"at"`
}

// noteVisitorPicture remembers that a picture came from somebody without an account.
func (s *Server) noteVisitorPicture(ctx context.Context, address string) error {
	value, err := json.Marshal(visitorPicture{s.Now().UTC()})
	if err != nil {
		return err
	}
	store, key := s.Directory.Store(), strings.TrimPrefix(address, media.Prefix)
	before, err := store.Record(ctx, kindVisitorPicture, key)
	if err != nil {
		return err
	}
	err = store.PutRecord(ctx, kindVisitorPicture, directory.Record{Key: key, Value: value, Rev: before.Rev})
	if errors.Is(err, directory.ErrStale) {
		return nil // it comes twice at this moment
	}
	return err
}

// visitorPictures are the addresses of those that came before a moment. One that an entry has is like any other from now on.
func (s *Server) visitorPictures(ctx context.Context, before time.Time, inEntries map[string]bool) (old []string, err error) {
	for after := ""; ; {
		records, err := s.Directory.Store().Records(ctx, kindVisitorPicture, after, 200)
		if err != nil || len(records) == 0 {
			return old, err
		}
		for _, r := range records {
			after = r.Key
			var p visitorPicture
			if err := json.Unmarshal(r.Value, &p); err != nil {
				return nil, fmt.Errorf("picture of a visitor %s: %w: %w", r.Key, directory.ErrCorrupt, err)
			}
			if address := media.Prefix + r.Key; inEntries[address] {
				if err := s.Directory.Store().DeleteRecord(ctx, kindVisitorPicture, r.Key, 0); err != nil {
					return nil, err
				}
			} else if p.At.Before(before) {
				old = append(old, address)
			}
		}
	}
}

// eraseVisitorPictures erases pictures to which nothing refers, and forgets that they came.
func (s *Server) eraseVisitorPictures(ctx context.Context, addresses []string, used map[string]bool) (erased int, err error) {
	for _, address := range addresses {
		if used[address] {
			continue
		}
		n, err := s.Media.Erase(ctx, address)
		erased += n
		if err != nil {
			return erased, err
		}
		if err := s.Directory.Store().DeleteRecord(ctx, kindVisitorPicture, strings.TrimPrefix(address, media.Prefix), 0); err != nil {
			return erased, err
		}
	}
	return erased, nil
}
