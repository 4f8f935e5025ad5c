package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"archipel/directory/media"
)

// pictures are where the options say: in a bucket, or in a folder of -data.
func (c config) pictures() (*media.Store, error) {
	if c["media"] == "" {
		return media.Open(filepath.Join(c["data"], "media"))
	}
	s, err := media.OpenBucket(c["media"])
	if err != nil {
		return nil, fmt.Errorf("-media: %w", err)
	}
	return s, nil
}

// pictureStore tells /readyz about the bucket of pictures.
type pictureStore struct{ *media.Store }

func (pictureStore) Name() string                     { return "pictures" }
func (p pictureStore) Ping(ctx context.Context) error { return p.Reach(ctx) }

// copyPictures copies the pictures of a directory to a folder beside its backup, or back; what is there already is not
// copied again. It does nothing when no folder is named.
func copyPictures(ctx context.Context, env *environment, c config, dir string, back bool) (err error) {
	if dir == "" {
		return nil
	}
	here, err := c.pictures()
	if err != nil {
		return err
	}
	there, err := media.Open(dir)
	if err != nil {
		return fmt.Errorf("-pictures: %w", err)
	}
	from, to, did := here, there, "copied to"
	if back {
		from, to, did = there, here, "restored from"
	}
	n, err := from.CopyTo(ctx, to)
	if n > 0 || err == nil {
		_, said := fmt.Fprintf(env.stderr, "%d files of pictures %s %s\n", n, did, dir)
		err = errors.Join(err, said)
	}
	return err
}
