package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"

	"github.com/gofiber/fiber/v2"
)

// draft is an entry that somebody has begun: what was typed, as it was typed, also where it is not yet valid. It becomes
// an entry when it is sent; until then it is a record, which leaves no trace in the log.
type draft struct {
	ID      directory.ID   `json:"id"` // of the entry that it will be, so that sending it twice makes one
	Values  url.Values     `json:"values"`
	NotSame []directory.ID `json:"notSame,omitempty"`
	Changed time.Time      `json:"changed"`

	key string
	rev int64
}

// kindDraft is the kind of the records of drafts; a key is the account's id, or "visitor", and a token.
const kindDraft = "draft"

// How long drafts are kept after they were last touched, and how many an account may have.
const (
	draftLife        = 90 * 24 * time.Hour
	visitorDraftLife = 7 * 24 * time.Hour
	maxDrafts        = 50

	maxVisitorDraft = 64 << 10 // bytes of a draft of somebody without an account
)

// errDraftLarge is for a draft of somebody without an account that is larger than any entry needs.
var errDraftLarge = errors.New("the draft is too large")

// draftFields are the fields that the steps have, what only helps to fill them in aside: nothing else is kept.
var draftFields = regexp.MustCompile(`^(kind|name|categories|where|lat|lon|approximate|area\.zones|address\.[A-Za-z]{1,20}|summary|description|lang|tags|organiser|sender|note` +
	`|contact\.(name|phone|email|website)|links\[[0-9]{1,2}\]\.(url|title|rel)|images\[[0-9]\]\.(url|alt|credit|order|remove)|openingHours|accessibility\.wheelchair` +
	`|hours\.(was|mode|holidays|comment|season\.(from|to)|(mo|tu|we|th|fr|sa|su|ph)\.(closed|[0-9]\.(from|to)))` +
	`|event\.(allDay|startDate|startTime|endDate|endTime|repeat|until|timezone|status|price|attendanceUrl|registerUrl))$`)

var tokenForm = regexp.MustCompile(`^[A-Z2-7]{26}$`)

func (d *draft) token() string { return d.key[strings.LastIndexByte(d.key, '/')+1:] }

func (d *draft) url(step string) string { return "/add/" + d.token() + "/" + step }

func draftOwner(a *account.Actor) string {
	if a.SignedIn() {
		return a.ID
	}
	return "visitor"
}

func (s *Server) newDraft(a *account.Actor) *draft {
	return &draft{ID: directory.NewID(), Values: url.Values{}, key: draftOwner(a) + "/" + rand.Text()}
}

// draft reads the draft that the address names. Nobody gets that of another account; one that was begun before signing in
// is taken along. For one that was sent the error is a [sentError].
func (s *Server) draft(c *fiber.Ctx) (*draft, error) {
	token, actor := c.Params("draft"), account.From(c)
	if !tokenForm.MatchString(token) {
		return nil, directory.ErrNotFound
	}
	d, err := s.readDraft(c.UserContext(), draftOwner(actor)+"/"+token)
	if err != nil || d != nil {
		return d, err
	}
	keys := []string{draftOwner(actor) + "/" + token}
	if actor.SignedIn() {
		keys = append(keys, "visitor/"+token)
		old, err := s.readDraft(c.UserContext(), "visitor/"+token)
		if err != nil {
			return nil, err
		}
		if old != nil {
			mine := *old
			mine.key, mine.rev = actor.ID+"/"+token, 0
			if err := s.saveDraft(c.UserContext(), &mine); err != nil {
				return nil, err
			}
			return &mine, s.Directory.Store().DeleteRecord(c.UserContext(), kindDraft, old.key, 0)
		}
	}
	return nil, s.notThere(c.UserContext(), keys...)
}

func (s *Server) readDraft(ctx context.Context, key string) (*draft, error) {
	r, err := s.Directory.Store().Record(ctx, kindDraft, key)
	if err != nil || r.Rev == 0 {
		return nil, err
	}
	return decodeDraft(r)
}

func decodeDraft(r directory.Record) (*draft, error) {
	d := &draft{key: r.Key, rev: r.Rev}
	if err := json.Unmarshal(r.Value, d); err != nil {
		return nil, fmt.Errorf("draft: %w: %w", directory.ErrCorrupt, err)
	}
	if d.Values == nil {
		d.Values = url.Values{}
	}
	return d, nil
}

// saveDraft keeps a draft. Of two windows that write at once, the later wins: it is one person's. One that was sent or discarded
// meanwhile does not come back: the error is a [sentError], or wraps [directory.ErrNotFound]. It is errDraftLarge for what nobody
// without an account may keep.
func (s *Server) saveDraft(ctx context.Context, d *draft) error {
	d.Changed = s.Now().UTC()
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	life := draftLife
	if strings.HasPrefix(d.key, "visitor/") {
		life = visitorDraftLife
		if len(b) > maxVisitorDraft {
			return errDraftLarge
		}
	}
	for try := 0; ; try++ {
		err = s.Directory.Store().PutRecord(ctx, kindDraft, directory.Record{Key: d.key, Value: b, Rev: d.rev, Expires: time.Now().Add(life)}) // stores go by their own clock
		if err == nil {
			d.rev++
			return nil
		}
		if !errors.Is(err, directory.ErrStale) || try == 3 {
			return err
		}
		r, err := s.Directory.Store().Record(ctx, kindDraft, d.key)
		if err != nil {
			return err
		}
		if r.Rev == 0 {
			return s.notThere(ctx, d.key)
		}
		d.rev = r.Rev
	}
}

func (s *Server) dropDraft(ctx context.Context, d *draft) error {
	return s.Directory.Store().DeleteRecord(ctx, kindDraft, d.key, 0)
}

// draftsOf are the drafts of an account, without what was sent when the program died before it forgot them.
func (s *Server) draftsOf(ctx context.Context, id string) ([]*draft, error) {
	list, err := draftsOf(ctx, s.Directory.Store(), id)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var ids []directory.ID
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	sent, err := s.Directory.Entries(ctx, ids)
	return slices.DeleteFunc(list, func(d *draft) bool {
		return slices.ContainsFunc(sent, func(e directory.Entry) bool { return e.ID == d.ID })
	}), err
}

func draftsOf(ctx context.Context, store directory.Records, id string) ([]*draft, error) {
	records, err := store.Records(ctx, kindDraft, id+"/", maxDrafts+1)
	if err != nil {
		return nil, err
	}
	var out []*draft
	for _, r := range records {
		if !strings.HasPrefix(r.Key, id+"/") {
			break
		}
		d, err := decodeDraft(r)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// ForgetDrafts erases what an account has begun and not sent, when the account is deleted.
func ForgetDrafts(ctx context.Context, store directory.Records, id string) error {
	for {
		drafts, err := draftsOf(ctx, store, id)
		if err != nil || len(drafts) == 0 {
			return err
		}
		for _, d := range drafts {
			if err := store.DeleteRecord(ctx, kindDraft, d.key, 0); err != nil {
				return err
			}
		}
	}
}

// merge takes what a form sent into the draft. A field that comes empty is emptied; rows of lists and boxes that are not
// checked do not come at all, and are those of the step.
func (d *draft) merge(step string, v url.Values) {
	drop := func(prefixes ...string) {
		for key := range d.Values {
			for _, p := range prefixes {
				if strings.HasPrefix(key, p) {
					delete(d.Values, key)
				}
			}
		}
	}
	switch step {
	case "what":
		drop("kind", "categories")
	case "where":
		drop("where", "approximate", "area.zones")
	case "about":
		drop("event.allDay", "links[", "images[", "hours.")
	}
	for key, list := range v {
		if draftFields.MatchString(key) && len(d.Values) < 300 {
			d.Values[key] = list
		}
	}
}

// without removes entries that the author said are others.
func (d *draft) isNotSame(id directory.ID) bool {
	for _, n := range d.NotSame {
		if n == id {
			return true
		}
	}
	return false
}
