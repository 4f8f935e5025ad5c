package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// How long a bucket may take before it counts as away.
const (
	bucketAnswers = 15 * time.Second
	bucketStarts  = 10 * time.Second // until the first byte of an answer
)

// ErrAway is a bucket that does not answer, or refuses what is asked.
var ErrAway = errors.New("the bucket of pictures cannot be used")

// bucket keeps files in a bucket of an S3-compatible server.
type bucket struct {
	client *minio.Client
	name   string
	prefix string // of the names of its objects, empty or ending with /
}

// OpenBucket keeps pictures in a bucket, which must exist. Its address is like
// s3://KEY:SECRET@HOST[:PORT]/BUCKET[/FOLDER]?region=REGION; with tls=off the server is asked by plain http, and with path=on
// the bucket is named in the path where the server cannot be asked by the bucket's own host name. Nothing is asked of the
// server yet: see [Store.Reach].
func OpenBucket(address string) (*Store, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("pictures: the address of the bucket is not a URL") // url's error would show the secret
	}
	name, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	secret, hasSecret := u.User.Password()
	query := u.Query()
	switch {
	case u.Scheme != "s3" || u.Host == "" || name == "":
		return nil, errors.New("pictures: want s3://KEY:SECRET@HOST/BUCKET?region=REGION")
	case u.User.Username() == "" || !hasSecret || secret == "":
		return nil, errors.New("pictures: the address of the bucket has no KEY:SECRET before the host")
	}
	for key, list := range query {
		switch {
		case key == "region" && len(list) == 1:
		case (key == "tls" || key == "path") && len(list) == 1 && (list[0] == "on" || list[0] == "off"):
		default:
			return nil, fmt.Errorf("pictures: %q in the address of the bucket: want region=NAME, tls=off or path=on", key)
		}
	}
	lookup := minio.BucketLookupAuto
	if query.Get("path") == "on" {
		lookup = minio.BucketLookupPath
	}
	secure := query.Get("tls") != "off"
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	transport.ResponseHeaderTimeout = bucketStarts
	region := query.Get("region")
	if region == "" {
		region = "us-east-1" // what servers other than Amazon's call theirs
	}
	client, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(u.User.Username(), secret, ""), Secure: secure, Region: region, BucketLookup: lookup, Transport: transport, MaxRetries: 3})
	if err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	if prefix != "" {
		prefix += "/"
	}
	return newStore(&bucket{client, name, prefix}), nil
}

// failed tells what is not there from what cannot be had.
func failed(err error) error {
	if err == nil {
		return nil
	}
	switch r := minio.ToErrorResponse(err); {
	case r.Code == minio.NoSuchKey:
		return fs.ErrNotExist
	case r.Code == minio.NoSuchBucket:
		return fmt.Errorf("%w: there is no bucket of this name", ErrAway)
	case r.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: access denied (%s)", ErrAway, r.Code)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

func (b *bucket) put(ctx context.Context, name string, body []byte, contentType string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*bucketAnswers)
	defer cancel()
	_, err := b.client.PutObject(ctx, b.name, b.prefix+name, bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{
		ContentType: contentType, CacheControl: "public, max-age=31536000, immutable", DisableMultipart: true, // one request: whole or not at all
	})
	return failed(err)
}

func (b *bucket) open(ctx context.Context, name string) (io.ReadCloser, info, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*bucketAnswers) // for the whole of it, however slowly it is read
	core := minio.Core{Client: b.client}
	body, i, _, err := core.GetObject(ctx, b.name, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		cancel()
		return nil, info{}, failed(err)
	}
	return &download{body, cancel}, info{name, i.Size, i.LastModified}, nil
}

// download is an object being read; closing it ends the request.
type download struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (d *download) Close() error {
	err := d.ReadCloser.Close()
	d.cancel()
	return err
}

func (b *bucket) stat(ctx context.Context, name string) (info, error) {
	ctx, cancel := context.WithTimeout(ctx, bucketAnswers)
	defer cancel()
	i, err := b.client.StatObject(ctx, b.name, b.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		if err = failed(err); errors.Is(err, fs.ErrNotExist) {
			if away := b.reach(ctx); away != nil {
				return info{}, away // an answer without words may also mean that the bucket itself is gone
			}
		}
		return info{}, err
	}
	return info{name, i.Size, i.LastModified}, nil
}

// touch writes the file anew: not every server takes a copy of an object onto itself for a change.
func (b *bucket) touch(ctx context.Context, name string) error {
	f, _, err := b.open(ctx, name)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return failed(err)
	}
	return b.put(ctx, name, body, contentType(path.Ext(name)))
}

func (b *bucket) remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, bucketAnswers)
	defer cancel()
	return failed(b.client.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{}))
}

func (b *bucket) each(ctx context.Context, fn func(info) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing when fn does
	for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix}) {
		if o.Err != nil {
			return failed(o.Err)
		}
		if err := fn(info{strings.TrimPrefix(o.Key, b.prefix), o.Size, o.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *bucket) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bucketAnswers)
	defer cancel()
	ok, err := b.client.BucketExists(ctx, b.name)
	if err != nil {
		return failed(err)
	}
	if !ok {
		return fmt.Errorf("%w: there is no bucket of this name", ErrAway)
	}
	return nil
}
