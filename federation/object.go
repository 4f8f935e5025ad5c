package federation

import (
	"context"
	"fmt"
	"html"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"archipel/directory"
	"archipel/federation/signature"
	"archipel/federation/vocab"
)

// pageURL is where people read an entry.
func (s *Service) pageURL(e *directory.Entry) string { return s.base + "/e/" + url.PathEscape(e.Slug) }

// document is an entry as the fediverse sees it: an Event in the terms of FEP-8a8e and of Mobilizon, or an Article.
func (s *Service) document(ctx context.Context, who identity, e *directory.Entry) (map[string]any, error) {
	terms, err := s.takesPart(ctx, who, e)
	if err != nil {
		return nil, err
	}
	lang := e.Lang
	if lang == "" {
		lang = s.Site().Lang
	}
	id := s.objectID(e.ID)
	o := vocab.Object{
		ID: id, Type: "Article", AttributedTo: who.id, To: []string{vocab.Public}, Cc: []string{who.followersID()},
		Name: e.Name, Summary: e.Summary, URL: s.pageURL(e), Published: e.Created, Updated: e.Updated,
		Tags: s.hashtags(e), Extra: map[string]any{
			"uuid": string(e.ID), "actor": who.id, "inLanguage": lang,
			"commentsEnabled": terms.replies, "repliesModerationOption": "moderated", "draft": false,
			"likes": s.base + "/ap/objects/" + string(e.ID) + "/likes", "shares": s.base + "/ap/objects/" + string(e.ID) + "/shares",
		},
	}
	if e.Contact != nil {
		o.Website = e.Contact.Website
	}
	if len(e.Images) > 0 {
		if address := s.absolute(e.Images[0].URL); address != "" {
			o.Image = &vocab.Image{URL: address, Alt: e.Images[0].Alt, MediaType: mediaType(address)}
		}
	}
	line := func(string) string { return placeText(e) }
	if e.Kind == directory.Event {
		o.Type = "Event"
		s.schedule(who, e, &o)
		if terms.joins {
			o.Extra["joinMode"], o.Extra["participantCount"] = terms.joinMode(), terms.participants
		}
		line = func(lang string) string {
			return joinText(" - ", whenText(o.Start, e.Event.AllDay, o.Extra["status"] == "CANCELLED", lang), placeText(e))
		}
	}
	if said := line(lang); said != "" {
		// Mastodon shows the title, this line and the link; GoToSocial shows it above the text.
		o.Summary = said
	}
	o.Content = content(e.Name, line(lang), markdown(joinText("\n\n", e.Summary, e.Description)), o.URL)
	o.Extra["nameMap"], o.Extra["contentMap"] = map[string]any{lang: e.Name}, map[string]any{lang: o.Content}
	for tag, t := range e.Translations {
		if t.Name == "" {
			continue
		}
		o.Extra["nameMap"].(map[string]any)[tag] = t.Name
		o.Extra["contentMap"].(map[string]any)[tag] = content(t.Name, line(tag), markdown(joinText("\n\n", t.Summary, t.Description)), o.URL)
	}
	return vocab.Publish(o)
}

// schedule puts in when and where an event takes place. A recurring event is shown at its next date.
func (s *Service) schedule(who identity, e *directory.Entry, o *vocab.Object) {
	v := e.Event
	span := directory.Span{Start: v.Start, End: v.End, State: v.State}
	if v.RRule != "" || len(v.RDates) > 0 {
		if next, ok := v.Next(s.Now(), nil); ok {
			span = next
		}
	}
	loc := v.Location(nil)
	o.Start, o.End = span.Start.In(loc), span.End.In(loc)
	knownEnd := span.End.After(span.Start)
	if !knownEnd {
		o.End = o.Start
	}
	state, status := "EventScheduled", "CONFIRMED"
	switch span.State {
	case directory.Cancelled:
		state, status = "EventCancelled", "CANCELLED"
	case directory.Postponed:
		state, status = "EventPostponed", "TENTATIVE"
	case directory.Rescheduled:
		state = "EventRescheduled"
	case directory.MovedOnline:
		state = "EventMovedOnline"
	case directory.Tentative:
		state, status = "EventTentative", "TENTATIVE"
	}
	for k, x := range map[string]any{
		"eventStatus": state, "status": status, "ical:status": status, "timezone": loc.String(), "displayEndTime": knownEnd,
		"organizers": []any{who.id}, "category": "MEETING", "joinMode": "none",
		"isOnline": v.AttendanceURL != "", "anonymousParticipationEnabled": false, "participantCount": 0,
	} {
		o.Extra[k] = x
	}
	if v.RegisterURL != "" {
		o.Extra["joinMode"], o.Extra["externalParticipationUrl"] = "external", v.RegisterURL
	}
	o.Place = s.place(e)
}

func (s *Service) place(e *directory.Entry) *vocab.Place {
	if len(e.Sites) == 0 && e.Address == nil {
		return nil
	}
	p := &vocab.Place{ID: s.objectID(e.ID) + "#place", Name: placeText(e)}
	if p.Name == "" {
		p.Name = e.Name
	}
	if a := e.Address; a != nil {
		p.Address = map[string]any{
			"type": "PostalAddress", "streetAddress": a.Street, "postalCode": a.PostalCode, "addressLocality": a.Locality,
			"addressRegion": a.Region, "addressCountry": a.Country,
		}
	}
	if len(e.Sites) > 0 {
		p.HasPoint, p.Longitude, p.Latitude = true, e.Sites[0][0], e.Sites[0][1]
	}
	return p
}

func placeText(e *directory.Entry) string {
	if e.Address == nil {
		return ""
	}
	return joinText(", ", e.Address.Street, e.Address.Locality)
}

func joinText(between string, parts ...string) string {
	var have []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			have = append(have, p)
		}
	}
	return strings.Join(have, between)
}

// content opens with the title: GoToSocial and others show nothing of name.
func content(name, line, text, page string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<p><strong>%s</strong></p>", html.EscapeString(name))
	if line != "" {
		fmt.Fprintf(&b, "<p>%s</p>", html.EscapeString(line))
	}
	b.WriteString(text)
	fmt.Fprintf(&b, `<p><a href="%s">%s</a></p>`, html.EscapeString(page), html.EscapeString(page))
	return b.String()
}

// hashtags are the entry's tags, in the letters that a hashtag may have.
func (s *Service) hashtags(e *directory.Entry) []vocab.Tag {
	var tags []vocab.Tag
	for _, t := range e.Tags {
		var b strings.Builder
		up := false
		for _, r := range t {
			switch {
			case unicode.IsLetter(r) || unicode.IsDigit(r):
				if up && b.Len() > 0 {
					r = unicode.ToUpper(r)
				}
				b.WriteRune(r)
				up = false
			default:
				up = true
			}
		}
		if name := b.String(); strings.ContainsFunc(name, unicode.IsLetter) {
			tags = append(tags, vocab.Tag{Name: "#" + name, Href: s.base + "/?tag=" + url.QueryEscape(t)})
		}
	}
	return tags
}

func mediaType(address string) string {
	u, err := url.Parse(address)
	if err == nil {
		if t := mime.TypeByExtension(strings.ToLower(path.Ext(u.Path))); strings.HasPrefix(t, "image/") {
			return t
		}
	}
	return "image/jpeg"
}

// tombstone is what stays of an object.
func (s *Service) tombstone(e *directory.Entry) map[string]any {
	former := "Article"
	if e.Kind == directory.Event {
		former = "Event"
	}
	return map[string]any{
		"@context": vocab.Terms(), "id": s.objectID(e.ID), "type": "Tombstone", "formerType": former,
		"deleted": e.Updated.UTC().Format(time.RFC3339),
	}
}

// Verbs of what is sent about an entry.
const (
	verbCreate = "Create"
	verbUpdate = "Update"
	verbDelete = "Delete"

	verbAnnounce = "Announce" // of the instance, for what an organisation posts
	verbMove     = "Move"     // of an organisation's actor
)

func (s *Service) activityID(id directory.ID, version directory.Seq) string {
	return s.base + "/ap/activities/" + string(id) + "/" + strconv.FormatInt(int64(version), 10)
}

// tell makes the activity that brings a server from not knowing (or knowing) an entry to what it is now. One version of an
// entry has one activity id whatever the verb: a server that gets it twice, after a crash of ours, knows it by that.
func (s *Service) tell(ctx context.Context, who identity, e *directory.Entry, verb string) (map[string]any, error) {
	doc, err := s.telling(ctx, who, e, verb)
	if err != nil {
		return nil, err
	}
	return doc, signature.Prove(doc, who.assertionKeyID(), who.keys.ed, s.Now())
}

func (s *Service) telling(ctx context.Context, who identity, e *directory.Entry, verb string) (doc map[string]any, err error) {
	env := vocab.Envelope{
		ID: s.activityID(e.ID, e.Version), Type: verb, Actor: who.id, To: []string{vocab.Public}, Cc: []string{who.followersID()}, Published: e.Updated,
	}
	actor := e.Kind == directory.Organisation
	switch {
	case verb == verbAnnounce:
		env.ID, env.ObjectID, env.Published = s.announceID(e.ID), s.objectID(e.ID), e.Created
		by, err := s.author(ctx, e, false)
		if err != nil {
			return nil, err
		}
		env.Cc = append(env.Cc, by.id)
	case verb == verbMove:
		env.ObjectID, env.Target = who.id, s.target(e)
	case verb == verbDelete && actor:
		env.ObjectID = who.id // Mastodon takes the deletion of an actor in this form only
	case verb == verbDelete:
		env.Object = s.tombstone(e)
	case actor:
		return s.updateActor(who, env.ID, s.profile(who, e), e.Updated)
	default:
		if env.Object, err = s.document(ctx, who, e); err != nil {
			return nil, err
		}
	}
	return vocab.Wrap(env)
}

func (s *Service) announceID(id directory.ID) string { return s.base + "/ap/announces/" + string(id) }

// object answers for an entry's immutable address; pages for people are the web server's.
func (s *Service) object(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	e, err := s.Directory.Entry(r.Context(), directory.ID(r.PathValue("id")))
	if err != nil {
		s.fail(w, err)
		return
	}
	switch {
	case publishes(&e):
		who, err := s.author(r.Context(), &e, !s.unsettled(&e))
		if err != nil {
			s.fail(w, err)
			return
		}
		doc, err := s.document(r.Context(), who, &e)
		if err != nil {
			s.fail(w, err)
			return
		}
		s.answer(w, http.StatusOK, typeActivity, doc)
	case acts(&e):
		http.Redirect(w, r, s.actorID(e.ID), http.StatusSeeOther)
	case e.Origin != "":
		refuse(w, http.StatusNotFound, "")
	default:
		// Hidden or removed: that it was here is known elsewhere, when it was public.
		was, err := s.wasPublic(r.Context(), e.ID, 0)
		switch {
		case err != nil:
			s.fail(w, err)
		case was:
			s.answer(w, http.StatusGone, typeActivity, s.tombstone(&e))
		default:
			refuse(w, http.StatusNotFound, "")
		}
	}
}

// wasPublic reports whether the entry was published after the newest of its changes below before (0: after any of the
// last fifty).
func (s *Service) wasPublic(ctx context.Context, id directory.ID, before directory.Seq) (bool, error) {
	limit := 1
	if before == 0 {
		limit = 50
	}
	changes, err := s.Directory.History(ctx, id, before, limit)
	if err != nil {
		return false, err
	}
	for i := range changes {
		if changes[i].Redacted && changes[i].Entry.Status == directory.Published || publishes(&changes[i].Entry) {
			return true, nil
		}
	}
	return false, nil
}

// activity answers for the address of an activity about the version that stands.
func (s *Service) activity(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	e, err := s.Directory.Entry(r.Context(), directory.ID(r.PathValue("id")))
	if err != nil {
		s.fail(w, err)
		return
	}
	actor := acts(&e)
	if r.PathValue("seq") != strconv.FormatInt(int64(e.Version), 10) || !publishes(&e) && !actor {
		refuse(w, http.StatusNotFound, "only the latest version is kept")
		return
	}
	verb := verbUpdate
	var who identity
	if actor {
		who, err = s.identity(r.Context(), e.ID)
	} else if who, err = s.author(r.Context(), &e, !s.unsettled(&e)); err == nil {
		var was bool
		if was, err = s.wasPublic(r.Context(), e.ID, e.Version); !was {
			verb = verbCreate
		}
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	s.show(w, r, who, &e, verb)
}

// announced answers for the address of the instance's Announce of what an organisation posted.
func (s *Service) announced(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	e, err := s.Directory.Entry(r.Context(), directory.ID(r.PathValue("id")))
	var by identity
	if err == nil {
		by, err = s.author(r.Context(), &e, false)
	}
	switch {
	case err != nil:
		s.fail(w, err)
	case !publishes(&e) || by.entry == "":
		refuse(w, http.StatusNotFound, "")
	default:
		s.show(w, r, s.self(), &e, verbAnnounce)
	}
}

func (s *Service) show(w http.ResponseWriter, r *http.Request, who identity, e *directory.Entry, verb string) {
	doc, err := s.tell(r.Context(), who, e, verb)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, http.StatusOK, typeActivity, doc)
}
