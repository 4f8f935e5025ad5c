package api

import (
	"bytes"
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
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/media"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// maxUpload is the largest body of a request that brings a picture, in bytes: the picture and a form around it.
const maxUpload = media.MaxBytes + 1<<20

// takesPictures reports whether requests to a path may bring a picture.
func takesPictures(path string) bool {
	return strings.HasPrefix(path, "/add/") || strings.HasPrefix(path, "/e/") && (strings.HasSuffix(path, "/edit") || strings.HasSuffix(path, "/suggest"))
}

// widen lets the requests that bring pictures be larger than any other. It is asked before a body is read.
func widen(server *fasthttp.Server) {
	server.HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		path, _, _ := strings.Cut(string(h.RequestURI()), "?")
		if h.IsPost() && takesPictures(path) {
			return fasthttp.RequestConfig{MaxRequestBodySize: maxUpload}
		}
		return fasthttp.RequestConfig{}
	}
}

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
	f, err := head.Open()
	if err != nil {
		return &directory.Problem{Field: "picture", Code: "unreadable"}
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, media.MaxBytes+1))
	if err != nil {
		return &directory.Problem{Field: "picture", Code: "unreadable"}
	}
	kept, err := s.Media.Add(c.UserContext(), body)
	switch {
	case errors.Is(err, media.ErrTooLarge):
		return &directory.Problem{Field: "picture", Code: "picture_large", Params: map[string]any{"max": media.MaxBytes >> 20}}
	case errors.Is(err, media.ErrFormat):
		return &directory.Problem{Field: "picture", Code: "unreadable"}
	case err != nil:
		s.Log.Error("a picture could not be kept", "id", requestID(c), "err", err)
		return &directory.Problem{Field: "picture", Code: "not_kept"}
	}
	values.Set(fmt.Sprintf("images[%d].url", row), kept.URL)
	values.Set(fmt.Sprintf("images[%d].alt", row), strings.TrimSpace(sent.Get("picture_alt")))
	sent.Del("picture_alt")
	return nil
}

// measure is the size of a kept picture in pixels.
func (s *Server) measure(address string) (width, height int) {
	if s.Media == nil {
		return 0, 0
	}
	body, _, err := s.Media.Read(strings.TrimPrefix(address, media.Prefix))
	if err != nil {
		return 0, 0
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(body))
	if err != nil {
		return 0, 0
	}
	return config.Width, config.Height
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
	body, contentType, err := s.Media.Read(c.Params("name"))
	if errors.Is(err, fs.ErrNotExist) {
		return directory.ErrNotFound
	}
	if err != nil {
		return err
	}
	if notModified(c, `"`+c.Params("name")+`"`) {
		return nil
	}
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Set(fiber.HeaderContentType, contentType)
	c.Set("Content-Security-Policy", "default-src 'none'; sandbox") // a picture is never a page
	c.Set("Cross-Origin-Resource-Policy", "cross-origin")
	c.Status(http.StatusOK)
	return c.Send(body)
}

// How long a picture is kept after anything last referred to it, and how often that is looked at.
const (
	pictureLife  = 90 * 24 * time.Hour
	sweepPicture = 24 * time.Hour
)

// TendPictures erases pictures that nothing has referred to for a long while, once a day, until ctx ends.
func (s *Server) TendPictures(ctx context.Context) {
	if s.Media == nil {
		return
	}
	tick := time.NewTicker(sweepPicture)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n, err := s.SweepPictures(ctx, s.Now().Add(-pictureLife)); err != nil && ctx.Err() == nil {
			s.Log.Error("pictures could not be tended", "err", err)
		} else if n > 0 {
			s.Log.Info("pictures that nothing refers to are erased", "files", n)
		}
	}
}

// SweepPictures erases the pictures that no entry, draft or proposal refers to and that were last wanted before a moment.
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
	return s.Media.Sweep(ctx, before, func(url string) bool { return used[url] })
}

var pictureForm = regexp.MustCompile(`/media/[0-9a-f]{32}-[0-9]+\.(?:jpg|png)`)
