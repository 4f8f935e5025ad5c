package digest

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"

	"github.com/paulmach/orb"
)

// listed is how many lines each part of a mail has at most; the rest is on the site.
const listed = 30

// filter is the area and the subjects of a choice.
func (s *Service) filter(c *Choice) geo.Filter {
	f := geo.Filter{Near: &orb.Point{c.Near[0], c.Near[1]}, Radius: float64(c.Radius) * 1000, Kinds: c.Kinds}
	for _, id := range c.Categories {
		f.Categories = append(f.Categories, s.Taxonomy.Descendants(id)...)
	}
	if len(c.Categories) > 0 && len(f.Categories) == 0 {
		f.Only = []directory.ID{} // the taxonomy knows none of them any more
	}
	return f
}

// listURL is the page of the site that shows what a choice is about.
func listURL(c *Choice) string {
	q := frontend.Query{Categories: c.Categories, Place: c.Place, Near: &c.Near, Radius: float64(c.Radius) * 1000, Sort: "updated"}
	for _, k := range c.Kinds {
		q.Kinds = append(q.Kinds, string(k))
	}
	return q.URL("/")
}

// letter makes what a digest says. fresh is false when it would say nothing that was not said before.
func (e *edition) letter(ctx context.Context, sub *subscription, end directory.Seq, until time.Time) (v frontend.DigestLetter, fresh bool, err error) {
	l := frontend.T(sub.Lang)
	v = frontend.DigestLetter{Lang: l.Lang(), Place: sub.Place, Radius: l.Distance(float64(sub.Radius) * 1000), More: e.base() + listURL(&sub.Choice)}
	coming, dates, err := e.coming(ctx, l, sub, until)
	if err != nil {
		return v, false, err
	}
	v.Coming, fresh = dates, coming.fresh

	w, f := window{sub.Told, end}, e.filter(&sub.Choice)
	if f.Only == nil {
		f.Only = e.changed(w)
	}
	sel, err := e.Index.Snapshot().Select(f, geo.Page{Order: geo.ByUpdated})
	if err != nil {
		return v, false, err
	}
	var news, changed []directory.ID
	for _, h := range sel.Hits {
		isNew, isChanged, err := e.became(ctx, h.ID, w)
		switch {
		case err != nil:
			return v, false, err
		case coming.listed[h.ID]:
			fresh = fresh || isNew || isChanged
		case isNew:
			news = append(news, h.ID)
		case isChanged:
			changed = append(changed, h.ID)
		}
	}
	if v.New, v.MoreNew, err = e.lines(ctx, l, news); err != nil {
		return v, false, err
	}
	if v.Changed, v.MoreChanged, err = e.lines(ctx, l, changed); err != nil {
		return v, false, err
	}
	return v, fresh || len(v.New)+len(v.Changed) > 0, nil
}

// lines tells of entries, some of them; more is how many it leaves out.
func (e *edition) lines(ctx context.Context, l *frontend.Localizer, ids []directory.ID) (out []frontend.DigestLine, more int, err error) {
	if err := e.get(ctx, ids[:min(len(ids), 2*listed)]); err != nil {
		return nil, 0, err
	}
	for _, id := range ids {
		one := e.entries[id]
		switch {
		case len(out) == listed:
			more++
		case one == nil || !one.Shown() || over(one, e.now, e.Site().Zone):
		default:
			out = append(out, e.line(l, one))
		}
	}
	return out, more, nil
}

func over(one *directory.Entry, now time.Time, zone *time.Location) bool {
	if one.Event == nil {
		return false
	}
	_, comes := one.Event.Next(now, zone)
	return !comes
}

// line tells of an entry in the reader's language, where it has words in it.
func (e *edition) line(l *frontend.Localizer, one *directory.Entry) frontend.DigestLine {
	name, summary := one.Name, one.Summary
	if t, ok := one.Translations[l.Lang()]; ok && !strings.HasPrefix(one.Lang, l.Lang()) {
		if t.Name != "" {
			name = t.Name
		}
		if t.Summary != "" {
			summary = t.Summary
		}
	}
	what := l.Code("kind", string(one.Kind))
	if id := one.MainCategory(); id != "" {
		what = e.Taxonomy.Label(id, l.Lang())
	}
	return frontend.DigestLine{Name: oneLine(name), What: what, Town: oneLine(one.Town()), Summary: oneLine(summary), URL: e.base() + "/e/" + url.PathEscape(one.Slug)}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// told is what the part about coming dates says.
type told struct {
	listed map[directory.ID]bool
	fresh  bool // one of the dates was in no digest before
}

// coming lists the dates until a moment, in the order of time.
func (e *edition) coming(ctx context.Context, l *frontend.Localizer, sub *subscription, until time.Time) (t told, out []frontend.DigestLine, err error) {
	t.listed = map[directory.ID]bool{}
	if len(sub.Kinds) > 0 && !slices.Contains(sub.Kinds, directory.Event) {
		return t, nil, nil
	}
	f := e.filter(&sub.Choice)
	f.Kinds, f.From, f.To, f.Current = []directory.Kind{directory.Event}, e.now, until, e.now
	sel, err := e.Index.Snapshot().Select(f, geo.Page{Order: geo.ByStart, Limit: 2 * listed})
	if err != nil {
		return t, nil, err
	}
	ids := make([]directory.ID, len(sel.Hits))
	for i, h := range sel.Hits {
		ids[i] = h.ID
	}
	if err := e.get(ctx, ids); err != nil {
		return t, nil, err
	}
	type date struct {
		directory.Span
		one *directory.Entry
	}
	var dates []date
	zone := e.Site().Zone
	for _, id := range ids {
		one := e.entries[id]
		if one == nil || !one.Public() || one.Event == nil {
			continue
		}
		for _, span := range one.Event.Occurrences(e.now, until, 8, zone) {
			if span.State != directory.Cancelled && one.Event.State != directory.Cancelled {
				dates = append(dates, date{span, one})
			}
		}
	}
	slices.SortStableFunc(dates, func(a, b date) int { return a.Start.Compare(b.Start) })
	for _, d := range dates {
		if len(out) == listed {
			break
		}
		t.listed[d.one.ID] = true
		t.fresh = t.fresh || !d.Start.Before(sub.Dates) && d.Start.After(e.now)
		line := e.line(l, d.one)
		o := frontend.Occurrence{Start: d.Start, AllDay: d.one.Event.AllDay}
		if d.End.After(d.Start) {
			if o.End = d.End; o.AllDay {
				o.End = d.End.Add(-time.Minute)
			}
		}
		line.When = l.When(o, e.now.In(d.Start.Location()))
		out = append(out, line)
	}
	return t, out, nil
}

// base is the address of the site for links in mails.
func (s *Service) base() string {
	if s.Accounts.PublicURL != "" {
		return s.Accounts.PublicURL
	}
	return s.Accounts.Address
}

// message is a digest as a mail.
func (s *Service) message(ctx context.Context, sub *subscription, v frontend.DigestLetter) (account.Message, error) {
	l := frontend.T(sub.Lang)
	stop, err := s.link(ctx, claim{Do: doStop, Key: sub.key}, time.Time{})
	if err != nil {
		return account.Message{}, err
	}
	change, err := s.link(ctx, claim{Do: doChange, Key: sub.key}, time.Time{})
	if err != nil {
		return account.Message{}, err
	}
	v.Change, v.Why = s.base()+change, l.Text("digest.mail_why", "Date", l.DateOnly(sub.Since.In(s.Site().Zone)))
	html, err := frontend.DigestLetterHTML(ctx, v)
	if err != nil {
		return account.Message{}, err
	}
	return account.Message{
		Key: "digest " + sub.key + " " + sub.Next.UTC().Format(time.RFC3339), To: sub.Mail, Lang: sub.Lang, Bulk: true,
		Subject: l.Text("digest.mail_subject", "Place", oneLine(sub.Place)), Text: frontend.DigestLetterText(v), HTML: html, Unsubscribe: s.base() + stop,
	}, nil
}
