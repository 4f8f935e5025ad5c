package fediverse

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

const (
	kindBlocks  = "ap-blocks" // lists that somebody brought and has not taken over, for a day
	blocksKept  = 24 * time.Hour
	firstBlocks = 200 // that a page names
)

// upload is a list that somebody brought.
type upload struct {
	Name string               `json:"name"`
	At   time.Time            `json:"at"`
	By   string               `json:"by"`
	List federation.BlockList `json:"list"`
}

func (s *Service) exportBlocks(c *fiber.Ctx) error {
	policy := s.Federation.Policy()
	var b bytes.Buffer
	if err := policy.ExportCSV(&b); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="domain_blocks-`+s.Now().UTC().Format(time.DateOnly)+`.csv"`)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return c.Send(b.Bytes())
}

// tryBlocks reads a list; what it would change is shown before it does.
func (s *Service) tryBlocks(c *fiber.Ctx) error {
	ctx, l := c.UserContext(), frontend.T(s.Page(c, "").Lang)
	wrong := func(key string) error {
		c.Status(http.StatusUnprocessableEntity)
		return s.showOverview(c, frontend.ServersView{FileWrong: l.Text(key)})
	}
	file, err := c.FormFile("file")
	if err != nil || file.Size == 0 {
		return wrong("blocks.no_file")
	}
	f, err := file.Open()
	if err != nil {
		return err
	}
	list := federation.ReadBlockList(f, s.Federation.Host())
	_ = f.Close() // it was only read
	if len(list.Rules) == 0 && len(list.Wrong) == 0 && list.Masked == 0 {
		return wrong("blocks.empty")
	}
	name := strings.ToValidUTF8(filepath.Base(file.Filename), "")
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "")
	}
	b, err := json.Marshal(upload{Name: name, At: s.Now().UTC(), By: author(c), List: list})
	if err != nil {
		return err
	}
	if len(b) > directory.MaxRecordValue {
		return wrong("blocks.large")
	}
	id := string(directory.NewID())
	if err := s.Directory.Store().PutRecord(ctx, kindBlocks, directory.Record{Key: id, Value: b, Expires: s.Now().Add(blocksKept)}); err != nil {
		return err
	}
	return c.Redirect(frontend.BlocksURL(id), http.StatusSeeOther)
}

func readUpload(r directory.Record) (u upload, err error) {
	if err := json.Unmarshal(r.Value, &u); err != nil {
		return u, fmt.Errorf("record %s %s: %w: %w", kindBlocks, r.Key, directory.ErrCorrupt, err)
	}
	return u, nil
}

func (s *Service) upload(c *fiber.Ctx) (u upload, rev int64, err error) {
	id := c.Params("list")
	if !directory.ID(id).Valid() {
		return u, 0, directory.ErrNotFound
	}
	r, err := s.Directory.Store().Record(c.UserContext(), kindBlocks, id)
	if err != nil {
		return u, 0, err
	}
	if r.Rev == 0 {
		return u, 0, directory.ErrNotFound
	}
	u, err = readUpload(r)
	return u, r.Rev, err
}

// uploads are the lists that were not taken over yet.
func (s *Service) uploads(ctx context.Context) (list []frontend.BlocksUpload, err error) {
	records, err := s.Directory.Store().Records(ctx, kindBlocks, "", 10)
	for _, r := range records {
		u, err := readUpload(r)
		if err != nil {
			return nil, err
		}
		list = append(list, frontend.BlocksUpload{Name: u.Name, URL: frontend.BlocksURL(r.Key), At: s.in(u.At)})
	}
	return list, err
}

// blocksPage shows what a list would change, against what is in force now.
func (s *Service) blocksPage(c *fiber.Ctx) error {
	u, _, err := s.upload(c)
	if err != nil {
		return err
	}
	p, _ := s.begins(c, "blocks.preview")
	policy := s.Federation.Policy()
	v := frontend.BlocksView{ID: c.Params("list"), Name: u.Name, Masked: u.List.Masked, WrongAllCount: len(u.List.Wrong)}
	after := policy
	after.Rules = map[string]federation.Rule{}
	for d, r := range policy.Rules {
		after.Rules[d] = r
	}
	after.Import(u.List)
	for domain := range u.List.Rules {
		was, had := policy.Rules[domain]
		will := after.Rules[domain]
		change := frontend.BlockChange{Domain: domain, Will: blockRule(will)}
		switch {
		case !had:
			v.Added = append(v.Added, change)
		case was != will:
			change.Was = blockRule(was)
			v.Changed = append(v.Changed, change)
		default:
			v.Same++
		}
	}
	v.Added, v.AddedAll, v.AddedMore = first(v.Added)
	v.Changed, v.ChangedAll, v.ChangedMore = first(v.Changed)
	for _, w := range u.List.Wrong[:min(len(u.List.Wrong), firstBlocks)] {
		v.Wrong = append(v.Wrong, frontend.BlockWrong{Line: w.Line, Field: w.Field, Value: w.Value, Why: w.Why})
	}
	v.WrongMore = len(u.List.Wrong) - len(v.Wrong)
	if v.Followers, err = s.loses(c.UserContext(), &after); err != nil {
		return err
	}
	return s.Render(c, frontend.Blocks(p, v))
}

func first(list []frontend.BlockChange) (shown []frontend.BlockChange, all, more int) {
	slices.SortFunc(list, func(a, b frontend.BlockChange) int { return cmp.Compare(a.Domain, b.Domain) })
	n := min(len(list), firstBlocks)
	return list[:n], len(list), len(list) - n
}

func blockRule(r federation.Rule) frontend.BlockRule {
	return frontend.BlockRule{Severity: string(r.Severity), Media: r.RejectMedia, Report: r.RejectReports, Comment: r.Comment}
}

// decideBlocks takes a list over, or throws it away.
func (s *Service) decideBlocks(c *fiber.Ctx) error {
	ctx, action := c.UserContext(), c.FormValue("action")
	if action != "take" && action != "discard" {
		return unknown("action", action)
	}
	u, rev, err := s.upload(c)
	if err != nil {
		return err
	}
	said := "discarded"
	if action == "take" {
		if _, err := s.Federation.ChangePolicy(ctx, func(p *federation.Policy) error { p.Import(u.List); return nil }); err != nil {
			return err
		}
		s.Log.Info("a list of blocks was taken over", "author", author(c), "name", u.Name, "rules", len(u.List.Rules))
		said = "taken"
	}
	if err := s.Directory.Store().DeleteRecord(ctx, kindBlocks, c.Params("list"), rev); err != nil && !errors.Is(err, directory.ErrStale) {
		return err
	}
	return back(c, frontend.ServersURL, said, "name", u.Name)
}
