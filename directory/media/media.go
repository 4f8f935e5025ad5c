// Package media keeps the pictures of a directory: what people upload is checked, turned upright, freed of everything but
// its pixels, and written anew in a few sizes.
//
// Nothing of an upload survives but its pixels: no position, no camera, no comment, no trailing bytes and no file name. So a
// file that is a picture and something else at once comes out as a picture alone.
package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"
)

// Limits on what is accepted.
const (
	MaxBytes  = 15 << 20   // of a file
	MaxPixels = 40_000_000 // of a picture, before it is made smaller
	maxSide   = 20_000     // pixels
)

// Sizes are the lengths of the longer side, in pixels, in which a picture is kept; smaller pictures are not enlarged.
var Sizes = []int{1600, 800, 400}

// Errors of [Store.Add].
var (
	ErrTooLarge = errors.New("the file or the picture is too large")
	ErrFormat   = errors.New("not a JPEG, PNG or WebP picture that can be read")
)

// Prefix begins the address of every picture on its server.
const Prefix = "/media/"

// Picture is a picture that is kept.
type Picture struct {
	URL           string // path of the largest size
	Width, Height int    // of the largest size, in pixels
}

// Store keeps pictures in a folder. Its methods may be called concurrently, and by several processes.
type Store struct {
	dir  string
	room *semaphore.Weighted // pixels being decoded at once, so that uploads cannot fill the memory
}

// Open keeps pictures in dir, which is made when it is not there.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	return &Store{dir, semaphore.NewWeighted(MaxPixels)}, nil
}

// Add keeps a picture. It reports ErrTooLarge or ErrFormat when it cannot be accepted. The same pixels have the same
// address.
func (s *Store) Add(ctx context.Context, file []byte) (Picture, error) {
	if len(file) > MaxBytes {
		return Picture{}, fmt.Errorf("%w: %d bytes, %d are allowed", ErrTooLarge, len(file), MaxBytes)
	}
	f := sniff(file)
	if f == nil {
		return Picture{}, ErrFormat
	}
	// The size is read before anything is decoded: a few bytes may claim to be a billion pixels.
	config, err := f.config(bytes.NewReader(file))
	if err != nil || config.Width < 1 || config.Height < 1 {
		return Picture{}, ErrFormat
	}
	if config.Width > maxSide || config.Height > maxSide || config.Width*config.Height > MaxPixels {
		return Picture{}, fmt.Errorf("%w: %d x %d pixels", ErrTooLarge, config.Width, config.Height)
	}
	weight := int64(config.Width * config.Height)
	if err := s.room.Acquire(ctx, weight); err != nil {
		return Picture{}, err
	}
	defer s.room.Release(weight)
	src, err := f.decode(bytes.NewReader(file))
	if err != nil || src.Bounds().Dx() != config.Width || src.Bounds().Dy() != config.Height {
		return Picture{}, ErrFormat
	}
	return s.write(sized(src, orientation(f, file)))
}

// write encodes the sizes of a picture, the largest first, and names them by the content of the largest.
func (s *Store) write(sizes []*image.RGBA) (Picture, error) {
	ext := ".jpg"
	if !sizes[0].Opaque() {
		ext = ".png"
	}
	bodies := make([][]byte, len(sizes))
	for i, m := range sizes {
		var b bytes.Buffer
		var err error
		if ext == ".png" {
			err = (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(&b, m)
		} else {
			err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 80})
		}
		if err != nil {
			return Picture{}, fmt.Errorf("encode picture: %w", err)
		}
		bodies[i] = b.Bytes()
	}
	sum := sha256.Sum256(bodies[0])
	hash := hex.EncodeToString(sum[:16])
	// The largest comes last: where it is, the others are.
	for i := len(sizes) - 1; i >= 0; i-- {
		if err := s.put(name(hash, Sizes[i], ext), bodies[i]); err != nil {
			return Picture{}, fmt.Errorf("keep picture: %w", err)
		}
	}
	largest := sizes[0].Bounds()
	return Picture{Prefix + name(hash, Sizes[0], ext), largest.Dx(), largest.Dy()}, nil
}

// put writes a file whole or not at all, durably.
func (s *Store) put(name string, body []byte) error {
	path := filepath.Join(s.dir, name)
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(body)) {
		now := time.Now()
		return os.Chtimes(path, now, now) // wanted again: Sweep counts from here
	}
	tmp, err := os.CreateTemp(s.dir, ".new-*")
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
	return os.Rename(tmp.Name(), path)
}

func name(hash string, size int, ext string) string {
	return fmt.Sprintf("%s-%d%s", hash, size, ext)
}

var nameForm = regexp.MustCompile(`^([0-9a-f]{32})-(1600|800|400)(\.jpg|\.png)$`)

// Read returns a kept file by its name, like "d41d8cd98f00b204e9800998ecf8427e-800.jpg", and its content type.
// The error wraps [fs.ErrNotExist] for any other name.
func (s *Store) Read(name string) (body []byte, contentType string, err error) {
	m := nameForm.FindStringSubmatch(name)
	if m == nil {
		return nil, "", fs.ErrNotExist
	}
	body, err = os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return nil, "", err
	}
	if m[3] == ".png" {
		return body, "image/png", nil
	}
	return body, "image/jpeg", nil
}

// Has reports whether url is the address of a picture that is kept.
func (s *Store) Has(url string) bool {
	name, ours := strings.CutPrefix(url, Prefix)
	if !ours || !nameForm.MatchString(name) {
		return false
	}
	_, err := os.Stat(filepath.Join(s.dir, name))
	return err == nil
}

// URL is the address of a kept picture in another of the [Sizes]; any other address is returned as it is.
func URL(url string, size int) string {
	m := nameForm.FindStringSubmatch(strings.TrimPrefix(url, Prefix))
	if m == nil || !strings.HasPrefix(url, Prefix) {
		return url
	}
	return Prefix + name(m[1], size, m[3])
}

// Sweep erases the pictures that nothing refers to and that were last added, or last found in use, before a moment, and
// left-over parts of uploads that were cut short. used is asked with the address of the largest size.
func (s *Store) Sweep(ctx context.Context, before time.Time, used func(url string) bool) (erased int, err error) {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("sweep pictures: %w", err)
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return erased, err
		}
		m := nameForm.FindStringSubmatch(f.Name())
		part := strings.HasPrefix(f.Name(), ".new-")
		if m == nil && !part {
			continue
		}
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(before) {
			continue
		}
		if err != nil {
			return erased, fmt.Errorf("sweep pictures: %w", err)
		}
		if path := filepath.Join(s.dir, f.Name()); !part && used(Prefix+name(m[1], Sizes[0], m[3])) {
			now := time.Now()
			if err := os.Chtimes(path, now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return erased, fmt.Errorf("sweep pictures: %w", err)
			}
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return erased, fmt.Errorf("sweep pictures: %w", err)
		}
		erased++
	}
	return erased, nil
}

// format is one of the formats that are read.
type format struct {
	name   string
	config func(r *bytes.Reader) (image.Config, error)
	decode func(r *bytes.Reader) (image.Image, error)
}

var formats = []format{
	{"jpeg", func(r *bytes.Reader) (image.Config, error) { return jpeg.DecodeConfig(r) }, func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) }},
	{"png", func(r *bytes.Reader) (image.Config, error) { return png.DecodeConfig(r) }, func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) }},
	{"webp", func(r *bytes.Reader) (image.Config, error) { return webp.DecodeConfig(r) }, func(r *bytes.Reader) (image.Image, error) { return webp.Decode(r) }},
}

// sniff tells the format by its first bytes, whatever the upload was called; nil for any other.
func sniff(file []byte) *format {
	switch {
	case bytes.HasPrefix(file, []byte("\xff\xd8\xff")):
		return &formats[0]
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		return &formats[1]
	case len(file) > 12 && string(file[:4]) == "RIFF" && string(file[8:12]) == "WEBP":
		return &formats[2]
	}
	return nil
}
