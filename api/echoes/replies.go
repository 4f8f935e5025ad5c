package echoes

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// replyDone are what can be done with a reply, and what the page says afterwards.
var replyDone = []string{"show", "refuse", "always", "block", "forget"}

func (s *Service) repliesPage(c *fiber.Ctx) error {
	e, err := s.entry(c, account.EntryReplies)
	if err != nil {
		return err
	}
	return s.showReplies(c, &e, "")
}

// showReplies lists what was written elsewhere under an entry; of an organisation, its entries under which something waits.
func (s *Service) showReplies(c *fiber.Ctx, e *directory.Entry, wrong string) error {
	ctx := c.UserContext()
	p, l := s.begin(c, frontend.RepliesURL(e.Slug))
	p.Title = l.Text("echoes.team_title", "Name", e.Name)
	v := frontend.RepliesTeamView{Slug: e.Slug, Name: e.Name, Posts: answerable(e), Public: e.Public(), Wrong: wrong}
	if done := c.Query("done"); slices.Contains(replyDone, done) && wrong == "" {
		v.Done = l.Text("echoes.done_" + done)
	}
	if !answerable(e) {
		var err error
		if v.Others, err = s.waitingFor(ctx, account.From(c), e.ID); err != nil {
			return err
		}
		return s.render(c, frontend.RepliesTeam(p, v))
	}
	var err error
	if v.Wanted, _, _, err = s.Federation.Wishes(ctx, e); err != nil {
		return err
	}
	list, err := s.Federation.RepliesOf(ctx, e.ID)
	if err != nil {
		return err
	}
	voices, err := s.Federation.VoicesOf(ctx, e.ID)
	if err != nil {
		return err
	}
	for _, voice := range voices {
		v.Voices = append(v.Voices, frontend.VoiceView{Actor: voice.Actor, Name: voice.Name, Handle: voice.Handle, Say: string(voice.Say)})
	}
	for i := range list {
		r := s.view(&list[i])
		at := slices.IndexFunc(voices, func(voice federation.Voice) bool { return voice.Actor == list[i].Actor })
		if at >= 0 {
			r.Said = string(voices[at].Say)
		}
		switch list[i].State {
		case federation.ReplyPending:
			v.Waiting = append(v.Waiting, r)
		case federation.ReplyShown:
			v.Shown = append(v.Shown, r)
		default:
			v.Refused = append(v.Refused, r)
		}
	}
	return s.render(c, frontend.RepliesTeam(p, v))
}

// waitingFor lists the entries in the name of an organisation, or that it organises, under which something waits.
func (s *Service) waitingFor(ctx context.Context, actor *account.Actor, org directory.ID) ([]frontend.RepliesOther, error) {
	count, err := s.Federation.WaitingReplies(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.ID, 0, len(count))
	for id := range count {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	entries, err := s.Directory.Entries(ctx, ids)
	if err != nil {
		return nil, err
	}
	var others []frontend.RepliesOther
	for i := range entries {
		e := &entries[i]
		ours := e.Private != nil && e.Private.Team == org ||
			slices.ContainsFunc(e.Relations, func(r directory.Relation) bool { return r.Rel == "organisedBy" && r.Target == org })
		if ours && account.May(actor, account.EntryReplies, e) == nil {
			others = append(others, frontend.RepliesOther{Name: e.Name, URL: frontend.RepliesURL(e.Slug), Waiting: count[e.ID]})
		}
	}
	return others, nil
}

// decideReply does what the team decided about a reply, or about its author.
func (s *Service) decideReply(c *fiber.Ctx) error {
	e, err := s.entry(c, account.EntryReplies)
	if err != nil {
		return err
	}
	ctx, by, do := c.UserContext(), account.From(c).Author(), c.FormValue("do")
	switch do {
	case "show", "refuse":
		var rev int64
		if rev, err = strconv.ParseInt(c.FormValue("rev"), 10, 64); err != nil || rev < 1 {
			return directory.Invalid{{Field: "rev", Code: directory.CodeInvalid}}
		}
		err = s.Decide(ctx, e.ID, c.FormValue("key"), rev, do == "show", by)
	case "always":
		err = s.Federation.SetVoice(ctx, e.ID, c.FormValue("actor"), federation.VoiceShow, by)
	case "block":
		err = s.Federation.SetVoice(ctx, e.ID, c.FormValue("actor"), federation.VoiceHide, by)
	case "forget":
		err = s.Federation.SetVoice(ctx, e.ID, c.FormValue("actor"), "", by)
	default:
		return directory.Invalid{{Field: "do", Code: directory.CodeUnknown, Params: map[string]any{"value": shortened(do)}}}
	}
	if errors.Is(err, directory.ErrStale) || errors.Is(err, directory.ErrNotFound) {
		c.Status(http.StatusConflict)
		return s.showReplies(c, &e, frontend.T(s.page(c, "").Lang).Text("echoes.changed"))
	}
	if err != nil {
		return err
	}
	return c.Redirect(frontend.RepliesURL(e.Slug)+"?"+url.Values{"done": {do}}.Encode(), http.StatusSeeOther)
}

// shortened is what somebody sent, as far as an answer repeats it.
func shortened(text string) string {
	if r := []rune(text); len(r) > 100 {
		return string(r[:100])
	}
	return text
}
