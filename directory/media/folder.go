package media

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// partPrefix begins the name of a file that is not whole yet.
const partPrefix = ".new-"

// folder keeps files in a folder.
type folder string

func (d folder) put(ctx context.Context, name string, body []byte, _ string) error {
	if i, err := d.stat(ctx, name); err == nil && i.size == int64(len(body)) {
		return d.touch(ctx, name)
	}
	tmp, err := os.CreateTemp(string(d), partPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(body)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(string(d), name))
}

func (d folder) open(_ context.Context, name string) (io.ReadCloser, info, error) {
	f, err := os.Open(filepath.Join(string(d), name))
	if err != nil {
		return nil, info{}, err
	}
	i, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, info{}, err
	}
	return f, infoOf(i), nil
}

func (d folder) stat(_ context.Context, name string) (info, error) {
	i, err := os.Stat(filepath.Join(string(d), name))
	if err != nil {
		return info{}, err
	}
	return infoOf(i), nil
}

func infoOf(i fs.FileInfo) info { return info{i.Name(), i.Size(), i.ModTime()} }

func (d folder) touch(_ context.Context, name string) error {
	now := time.Now()
	return os.Chtimes(filepath.Join(string(d), name), now, now)
}

func (d folder) remove(_ context.Context, name string) error {
	return os.Remove(filepath.Join(string(d), name))
}

func (d folder) each(ctx context.Context, fn func(info) error) error {
	list, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	for _, one := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		i, err := one.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !i.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return err
		}
		if err := fn(infoOf(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d folder) reach(context.Context) error {
	_, err := os.Stat(string(d))
	return err
}
