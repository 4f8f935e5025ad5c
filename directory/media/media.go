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
	"io"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"
)

// Limits on what is accepted.
const (
	MaxBytes  = 15 << 20   // of a file
	MaxPixels = 40_000_000 // of a picture, before it is made smaller
	MaxMemory = 256 << 20  // bytes that reading pictures takes at once: also a server of 1 GB has them
	maxSide   = 20_000     // pixels
	maxScans  = 100        // of a progressive JPEG; each goes over the whole picture, and cameras write about ten

	maxScanned = 20 * MaxPixels // in all scans: seven kilobytes can go a hundred times over the largest picture
)

// Sizes are the lengths of the longer side, in pixels, in which a picture is kept; smaller pictures are not enlarged.
var Sizes = []int{1600, 800, 400}

// Errors of [Store.Add].
var (
	ErrTooLarge = errors.New("the file or the picture is too large")
	ErrTooHeavy = errors.New("reading the picture takes too much memory")
	ErrFormat   = errors.New("not a JPEG, PNG or WebP picture that can be read")
)

// Prefix begins the address of every picture on its server.
const Prefix = "/media/"

// Picture is a picture that is kept.
type Picture struct {
	URL           string // path of the largest size
	Width, Height int    // of the largest size, in pixels
}

// Store keeps pictures in a folder or in a bucket. Its methods may be called concurrently, and by several processes.
type Store struct {
	files files
	room  *semaphore.Weighted // bytes that reading takes, so that uploads cannot fill the memory
}

// files are where the files of pictures are: [folder] and [bucket]. What is not there is [fs.ErrNotExist].
type files interface {
	// put keeps a file whole or not at all, durably. If it is there already, it counts as new from now on.
	put(ctx context.Context, name string, body []byte, contentType string) error
	// open reads a file; whoever asks closes it.
	open(ctx context.Context, name string) (io.ReadCloser, info, error)
	stat(ctx context.Context, name string) (info, error)
	// touch lets a file count as new from now on.
	touch(ctx context.Context, name string) error
	remove(ctx context.Context, name string) error
	// each calls fn with every file, also the parts that an upload has left over.
	each(ctx context.Context, fn func(info) error) error
	// reach finds out whether files can be kept and read.
	reach(ctx context.Context) error
}

// info is what is known of a file.
type info struct {
	name     string
	size     int64
	modified time.Time
}

func newStore(f files) *Store { return &Store{f, semaphore.NewWeighted(MaxMemory)} }

// Open keeps pictures in dir, which is made when it is not there.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	return newStore(folder(dir)), nil
}

// Reach finds out whether pictures can be kept and read at this moment.
func (s *Store) Reach(ctx context.Context) error { return s.files.reach(ctx) }

// Add keeps a picture. It reports ErrTooLarge, ErrTooHeavy or ErrFormat when it cannot be accepted. The same pixels have the
// same address.
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
	weight := takes(f, config, file)
	if weight > MaxMemory {
		return Picture{}, fmt.Errorf("%w: %d MB for %d x %d pixels", ErrTooHeavy, weight>>20, config.Width, config.Height)
	}
	if err := s.room.Acquire(ctx, weight); err != nil {
		return Picture{}, err
	}
	defer func() {
		if weight > heavy {
			runtime.GC() // or what is not needed any more would stand beside what the next one takes
		}
		s.room.Release(weight)
	}()
	if f.name == "jpeg" {
		if n := scans(file); n > maxScans || n*config.Width*config.Height > maxScanned {
			return Picture{}, ErrFormat
		}
	}
	src, err := f.decode(bytes.NewReader(file))
	if err != nil || src.Bounds().Dx() != config.Width || src.Bounds().Dy() != config.Height {
		return Picture{}, ErrFormat
	}
	return s.write(ctx, sized(src, orientation(f, file)))
}

// write encodes the sizes of a picture, the largest first, and names them by the content of the largest.
func (s *Store) write(ctx context.Context, sizes []*image.RGBA) (Picture, error) {
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
		if err := s.files.put(ctx, name(hash, Sizes[i], ext), bodies[i], contentType(ext)); err != nil {
			return Picture{}, fmt.Errorf("keep picture: %w", err)
		}
	}
	largest := sizes[0].Bounds()
	return Picture{Prefix + name(hash, Sizes[0], ext), largest.Dx(), largest.Dy()}, nil
}

func name(hash string, size int, ext string) string {
	return fmt.Sprintf("%s-%d%s", hash, size, ext)
}

var nameForm = regexp.MustCompile(`^([0-9a-f]{32})-(1600|800|400)(\.jpg|\.png)$`)

func contentType(ext string) string {
	if ext == ".png" {
		return "image/png"
	}
	return "image/jpeg"
}

// File is a kept file that is being read.
type File struct {
	io.ReadCloser
	Size        int64 // bytes
	ContentType string
}

// Read opens a kept file by its name, like "d41d8cd98f00b204e9800998ecf8427e-800.jpg"; whoever asks closes it.
// The error wraps [fs.ErrNotExist] for any other name.
func (s *Store) Read(ctx context.Context, name string) (*File, error) {
	m := nameForm.FindStringSubmatch(name)
	if m == nil {
		return nil, fs.ErrNotExist
	}
	body, i, err := s.files.open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("picture %s: %w", name, err)
	}
	return &File{body, i.size, contentType(m[3])}, nil
}

// Has reports whether url is the address of a picture that is kept.
func (s *Store) Has(ctx context.Context, url string) (bool, error) {
	name, ours := strings.CutPrefix(url, Prefix)
	if !ours || !nameForm.MatchString(name) {
		return false, nil
	}
	switch _, err := s.files.stat(ctx, name); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("picture %s: %w", name, err)
	}
	return true, nil
}

// CopyTo copies every kept file that to does not have, and returns how many it copied.
func (s *Store) CopyTo(ctx context.Context, to *Store) (copied int, err error) {
	err = s.files.each(ctx, func(i info) error {
		m := nameForm.FindStringSubmatch(i.name)
		if m == nil {
			return nil
		}
		if there, err := to.files.stat(ctx, i.name); err == nil && there.size == i.size {
			return nil
		}
		f, err := s.Read(ctx, i.name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // erased meanwhile
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("picture %s: %w", i.name, err)
		}
		if err := to.files.put(ctx, i.name, body, f.ContentType); err != nil {
			return fmt.Errorf("picture %s: %w", i.name, err)
		}
		copied++
		return nil
	})
	return copied, err
}

// URL is the address of a kept picture in another of the [Sizes]; any other address is returned as it is.
func URL(url string, size int) string {
	m := nameForm.FindStringSubmatch(strings.TrimPrefix(url, Prefix))
	if m == nil || !strings.HasPrefix(url, Prefix) {
		return url
	}
	return Prefix + name(m[1], size, m[3])
}

// Erase erases a picture, in all sizes, and returns how many files those were.
func (s *Store) Erase(ctx context.Context, url string) (erased int, err error) {
	for _, size := range Sizes {
		name, ours := strings.CutPrefix(URL(url, size), Prefix)
		if !ours || !nameForm.MatchString(name) {
			return 0, nil
		}
		if err := s.files.remove(ctx, name); err == nil {
			erased++
		} else if !errors.Is(err, fs.ErrNotExist) {
			return erased, fmt.Errorf("erase picture %s: %w", name, err)
		}
	}
	return erased, nil
}

// Sweep erases the pictures that nothing refers to and that were last added, or last found in use, before a moment, and
// left-over parts of uploads that were cut short. used is asked with the address of the largest size.
func (s *Store) Sweep(ctx context.Context, before time.Time, used func(url string) bool) (erased int, err error) {
	err = s.files.each(ctx, func(i info) error {
		m := nameForm.FindStringSubmatch(i.name)
		part := strings.HasPrefix(i.name, partPrefix)
		if m == nil && !part || !i.modified.Before(before) {
			return nil
		}
		var err error
		if !part && used(Prefix+name(m[1], Sizes[0], m[3])) {
			err = s.files.touch(ctx, i.name)
		} else if err = s.files.remove(ctx, i.name); err == nil {
			erased++
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("sweep pictures: %w", err)
	}
	return erased, err
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
