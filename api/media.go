package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/media"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// takePicture keeps the picture that a form brought and adds it to the form's. The problem is nil when there was none or
// when it is kept.
func (s *Server) takePicture(c *fiber.Ctx, values, sent url.Values) *directory.Problem {
	if s.Media == nil || !strings.HasPrefix(c.Get(fiber.HeaderContentType), fiber.MIMEMultipartForm) {
		return nil
	}
	head, err := c.FormFile("picture")
	if err != nil || head.Size == 0 {
		if sent.Get("action") == "picture" {
			return &directory.Problem{Field: "picture", Code: directory.CodeRequired}
		}
		return nil
	}
	// The first row without an address is free.
	row := 0
	for ; values.Get(fmt.Sprintf("images[%d].url", row)) != ""; row++ {
	}
	if row >= maxImages {
		return &directory.Problem{Field: "picture", Code: directory.CodeTooMany, Params: map[string]any{"max": maxImages, "got": row + 1}}
	}
	if err := account.Check(c, account.EntrySuggest, nil); err != nil {
		return &directory.Problem{Field: "picture", Code: directory.CodeImmutable}
	}
	var limited *account.Limited
	if err := s.Accounts.LimitPictures(c); errors.As(err, &limited) {
		return &directory.Problem{Field: "picture", Code: "pictures_many", Params: map[string]any{"minutes": minutes(limited)}}
	}
	f, err := head.Open()
	if err != nil {
		return &directory.Problem{Field: "picture", Code: "unreadable"}
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, media.MaxBytes+1))
	if err != nil {
		return &directory.Problem{Field: "picture", Code: "unreadable"}
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), 2*pictureAnswers)
	defer cancel()
	added, err := s.Media.Add(ctx, body)
	switch {
	case errors.Is(err, media.ErrTooLarge):
		return &directory.Problem{Field: "picture", Code: "picture_large", Params: map[string]any{"max": media.MaxBytes >> 20}}
	case errors.Is(err, media.ErrTooHeavy):
		return &directory.Problem{Field: "picture", Code: "picture_heavy"}
	case errors.Is(err, media.ErrFormat):
		return &directory.Problem{Field: "picture", Code: "unreadable"}
	case err != nil:
		s.Log.Error("a picture could not be kept", "id", requestID(c), "err", err)
		return &directory.Problem{Field: "picture", Code: "not_kept"}
	}
	if !account.From(c).SignedIn() {
		if err := s.noteVisitorPicture(ctx, added.URL); err != nil {
			s.Log.Error("a visitor's picture could not be noted", "id", requestID(c), "err", err)
			return &directory.Problem{Field: "picture", Code: "not_kept"}
		}
	}
	values.Set(fmt.Sprintf("images[%d].url", row), added.URL)
	s.known.put(added.URL, kept{added.Width, added.Height})
	values.Set(fmt.Sprintf("images[%d].alt", row), strings.TrimSpace(sent.Get("picture_alt")))
	sent.Del("picture_alt")
	return nil
}

// kept is what is known of a picture of ours: its size in pixels. Its content never changes.
type kept struct{ width, height int }

// pictureAnswers is how long a form waits for the place where pictures are.
const pictureAnswers = 20 * time.Second

// measure is the size in pixels of a picture that was uploaded; ok is false when there is no such picture.
func (s *Server) measure(ctx context.Context, address string) (k kept, ok bool, err error) {
	if s.Media == nil || !strings.HasPrefix(address, media.Prefix) {
		return kept{}, false, nil
	}
	if k, ok := s.known.get(address); ok {
		return k, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pictureAnswers)
	defer cancel()
	f, err := s.Media.Read(ctx, strings.TrimPrefix(address, media.Prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}, false, nil
	}
	if err != nil {
		return kept{}, false, err
	}
	defer f.Close()
	config, _, err := image.DecodeConfig(f)
	if err != nil {
		return kept{}, false, fmt.Errorf("picture %s: %w", address, err)
	}
	k = kept{config.Width, config.Height}
	s.known.put(address, k)
	return k, true, nil
}

// shownPicture is a picture with its sizes, for a browser to choose from. The sizes of a picture of ours are those that it
// is kept in.
func shownPicture(m directory.Image) frontend.Image {
	out := frontend.Image{URL: m.URL, Alt: m.Alt, Width: m.Width, Height: m.Height, Credit: m.Credit, Licence: m.Licence}
	longer := max(m.Width, m.Height)
	if !strings.HasPrefix(m.URL, media.Prefix) || longer == 0 {
		return out
	}
	for _, size := range slices.Backward(media.Sizes) {
		width := m.Width
		if longer > size {
			width = max(1, (m.Width*size+longer/2)/longer)
		}
		if n := len(out.Sources); n > 0 && out.Sources[n-1].Width == width {
			continue // it was not larger than the smaller size
		}
		out.Sources = append(out.Sources, frontend.ImageSource{URL: media.URL(m.URL, size), Width: width})
	}
	return out
}

// thumbnail is the address of the smallest size of a picture of ours, and nothing for any other: pages load nothing from
// elsewhere.
func thumbnail(address string) string {
	if !strings.HasPrefix(address, media.Prefix) {
		return ""
	}
	return media.URL(address, media.Sizes[len(media.Sizes)-1])
}

// picture serves a kept picture. Its name is that of its content, so it never changes.
func (s *Server) picture(c *fiber.Ctx) error {
	if s.Media == nil {
		return directory.ErrNotFound
	}
	// The connection's own context ends when this function does, and the file is read after it.
	f, err := s.Media.Read(context.WithoutCancel(c.UserContext()), c.Params("name"))
	if errors.Is(err, fs.ErrNotExist) {
		return directory.ErrNotFound
	}
	if err != nil {
		s.Log.Error("a picture cannot be read", "id", requestID(c), "err", err)
		return fiber.NewError(http.StatusServiceUnavailable)
	}
	if notModified(c, `"`+c.Params("name")+`"`) {
		return f.Close()
	}
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Set(fiber.HeaderContentType, f.ContentType)
	c.Set("Content-Security-Policy", "default-src 'none'; sandbox") // a picture is never a page
	c.Set("Cross-Origin-Resource-Policy", "cross-origin")
	c.Status(http.StatusOK)
	return c.SendStream(f, int(f.Size)) // closes it at the end
}

// dropLost takes away the pictures of ours that are not kept any more. A picture of which nobody can say stays.
func (s *Server) dropLost(ctx context.Context, e *directory.Entry) {
	if s.Media == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pictureAnswers)
	defer cancel()
	e.Images = slices.DeleteFunc(slices.Clone(e.Images), func(m directory.Image) bool {
		if !strings.HasPrefix(m.URL, media.Prefix) {
			return false
		}
		kept, err := s.Media.Has(ctx, m.URL)
		if err != nil {
			s.Log.Error("pictures cannot be read", "err", err)
		}
		return err == nil && !kept
	})
}

// How long a picture is kept after anything last referred to it, and how often that is looked at: also by a server that is
// started anew every night.
const (
	pictureLife  = 90 * 24 * time.Hour
	sweepFirst   = 10 * time.Minute
	sweepPicture = 24 * time.Hour
)

// TendPictures erases pictures that nothing has referred to for a long while, soon after the start and once a day, until ctx ends.
func (s *Server) TendPictures(ctx context.Context) { s.tendPictures(ctx, sweepFirst) }

func (s *Server) tendPictures(ctx context.Context, first time.Duration) {
	if s.Media == nil {
		return
	}
	next := time.NewTimer(first)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		next.Reset(sweepPicture)
		if n, err := s.SweepPictures(ctx, s.Now().Add(-pictureLife)); err != nil && ctx.Err() == nil {
			s.Log.Error("pictures could not be tended", "err", err)
		} else if n > 0 {
			s.Log.Info("pictures that nothing refers to are erased", "files", n)
		}
	}
}

// SweepPictures erases the pictures that no entry, draft or proposal refers to and that were last wanted before a moment; those
// of visitors that no entry has ever had go sooner.
func (s *Server) SweepPictures(ctx context.Context, before time.Time) (erased int, err error) {
	used := map[string]bool{}
	err = s.Directory.Scan(ctx, func(entries []directory.Entry) error {
		for i := range entries {
			for _, m := range entries[i].Images {
				used[m.URL] = true
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	visitors, err := s.visitorPictures(ctx, before.Add(pictureLife-visitorPictureLife), used)
	if err != nil {
		return 0, err
	}
	// Drafts and proposals are JSON: an address in them is found as a text.
	for _, kind := range []string{kindDraft, KindProposal} {
		for after := ""; ; {
			records, err := s.Directory.Store().Records(ctx, kind, after, 200)
			if err != nil {
				return 0, err
			}
			for _, r := range records {
				after = r.Key
				value := r.Value
				var p Proposal
				if kind == KindProposal && json.Unmarshal(r.Value, &p) == nil {
					value = p.Entry
				}
				for _, m := range pictureForm.FindAll(value, -1) {
					used[string(m)] = true
				}
			}
			if len(records) == 0 {
				break
			}
		}
	}
	defer s.known.clear()
	if erased, err = s.eraseVisitorPictures(ctx, visitors, used); err != nil {
		return erased, err
	}
	n, err := s.Media.Sweep(ctx, before, func(url string) bool { return used[url] })
	return erased + n, err
}

var pictureForm = regexp.MustCompile(`/media/[0-9a-f]{32}-[0-9]+\.(?:jpg|png)`)
