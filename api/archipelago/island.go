package archipelago

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation"
	"archipel/federation/islands"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// attempt is what the operator tried on the page of an island, to be shown again with what was typed.
type attempt struct {
	form   string // ask, offer or give
	scope  typedScope
	wrong  []string
	said   string
	limit  string
	limits string // what is wrong with the limit
	reason string
	policy string
	status int
}

func (h *handlers) island(c *fiber.Ctx) error {
	host, err := h.hostParam(c)
	if err != nil {
		return err
	}
	return h.showIsland(c, host, attempt{})
}

// islandDone are what can be said to be done.
var islandDone = []string{"ask", "offer", "accept", "give", "refuse", "pause", "resume", "end", "withdraw", "uninvite", "decline", "policy", "now", "compare"}

func (h *handlers) showIsland(c *fiber.Ctx, host string, tried attempt) error {
	ctx := c.UserContext()
	st, err := h.status(ctx, host)
	if err != nil {
		return err
	}
	p, l := h.page(c, "archipelago.title")
	v := frontend.IslandView{Wrong: tried.said, LimitUsual: islands.DefaultMaxItems, LimitWrong: tried.limits, ReasonTyped: tried.reason}
	h.describe(ctx, l, &st, &v)
	v.Line = h.line(&st)
	p.Title = v.Line.Name
	zone := h.Zone()

	ours, err := islands.LoadSettings(ctx, h.Directory.Store())
	if err != nil {
		return err
	}
	mine, err := h.ourWords(c)
	if err != nil {
		return err
	}
	theirs := st.About.Words()
	theirNames, ourNames := h.namesIn(theirs, l.Lang()), h.namesIn(mine, l.Lang())
	if st.In.State != "" {
		v.In = h.side(l, &st.Agreement, islands.In, theirNames)
		v.Policy, v.CanAskNow = string(st.In.Policy), st.In.Active()
		if v.Policy == "" {
			v.Policy = string(islands.Show)
		}
		if st.In.MaxItems > 0 {
			v.Limit = strconv.Itoa(st.In.MaxItems)
		}
		if over(st.In.State) || st.In.State == islands.Offered {
			v.Policy = ""
		}
		if tried.limits != "" {
			v.Limit, v.Policy = tried.limit, tried.policy
		}
		v.Refusals = refusals(l, st.Sync.Refused)
		if !st.Sync.Compared.IsZero() {
			v.Compared, v.Differed = st.Sync.Compared.In(zone), st.Sync.Differed
		}
	}
	if st.Out.State != "" {
		v.Out = h.side(l, &st.Agreement, islands.Out, ourNames)
		if st.Out.State == islands.Asked {
			v.AskedTag = st.Out.Asked.Tag()
		}
	}
	n := st.Count
	if st.Plain != nil {
		n = h.Mirrors.Counts()[st.Server()] // words are those of a server
	}
	if n.Public+n.Waiting+n.Hidden > 0 || len(theirs) > 0 && st.In.State != "" {
		v.WordsURL = frontend.IslandURL(host) + "/words"
	}
	if st.Count.Waiting > 0 {
		v.HeldURL = "/moderate/islands?" + url.Values{"island": {host}}.Encode()
	}
	h.forms(&v, &st, tried, ours, mine, theirs, l.Lang())
	if done := c.Query("done"); slices.Contains(islandDone, done) && tried.said == "" && c.Method() == fiber.MethodGet {
		v.Done = l.Code("archipelago_done", done)
	}
	if tried.status != 0 {
		c.Status(tried.status)
	}
	return h.Render(c, frontend.Island(p, v))
}

// describe says what an island says of itself: as it is known, or else as it answers now.
func (h *handlers) describe(ctx context.Context, l *frontend.Localizer, st *islands.Status, v *frontend.IslandView) {
	at := st.Seen
	if st.Plain != nil {
		v.Unheard = l.Text("archipelago.plain")
		return
	}
	if at.IsZero() {
		about, err := h.find(ctx, st.Host)
		if err != nil {
			why := h.why(st.Host, err)
			if why == "invalid" || why == "self" {
				why = "other"
			}
			v.Unheard = l.Text("archipelago.unheard_" + why)
			return
		}
		st.About, st.Name, at = about, about.Name, h.Now()
	}
	d := &st.About
	a := frontend.IslandAbout{Summary: d.Summary, Territory: d.Territory.Name, Licence: d.Licence, Licences: d.Licences, Rules: d.Rules, Contact: d.Contact, Software: d.Software,
		Mirrored: d.Mirrored, Categories: len(d.Categories), At: at.In(h.Zone())}
	if a.Territory == "" {
		a.Territory = strings.Join(h.territory(l, &islands.Scope{Zones: d.Territory.Zones, Area: d.Territory.Shape}), ", ")
	}
	for _, tag := range d.Languages {
		a.Languages = append(a.Languages, languageName(tag))
	}
	for _, k := range directory.Kinds {
		if n := d.Entries[string(k)]; n > 0 {
			a.Kinds = append(a.Kinds, frontend.IslandKind{Kind: string(k), Count: n})
		}
	}
	v.About = &a
}

// side is one direction of an agreement with what can be done about it.
func (h *handlers) side(l *frontend.Localizer, a *islands.Agreement, d islands.Direction, names func(string) string) *frontend.IslandSide {
	side := sideOf(a, d)
	s := &frontend.IslandSide{Direction: string(d), State: stateCode(side), Since: side.Since.In(h.Zone()), PassOn: side.PassOn && side.Standing, Untold: side.Tell != "", Note: side.Note}
	words := func(scope *islands.Scope) []string {
		words := h.inWords(l, scope, names)
		if scope.Others && a.Plain == nil {
			words = append(words, l.Code("archipelago_others", map[islands.Direction]string{islands.In: "ask", islands.Out: "give"}[d]))
		}
		return words
	}
	if side.State != islands.Offered {
		s.Asked = words(&side.Asked)
	}
	if side.State == islands.Narrowed || side.State == islands.Offered {
		s.Agreed = words(&side.Agreed)
	}
	if side.Reason != "" {
		s.Note = l.Code("archipelago_turned", string(side.Reason))
	}
	// Who asks says something with it, and so does who refuses or leaves.
	said := side.State == islands.Refused || side.State == islands.Paused || side.State == islands.Ended
	s.NoteOurs = said && side.ByUs || !said && d == islands.In
	switch {
	case side.Active():
		s.Do = []string{"pause", "end"}
	case side.State == islands.Paused && side.ByUs:
		s.Do = []string{"resume", "end"}
	case side.State == islands.Paused:
		s.Do = []string{"end"}
	case d == islands.In && side.State == islands.Asked && side.Standing:
		s.Do = []string{"end"} // the wish alone cannot be taken back: the other side has put it in place of what stood
	case d == islands.In && side.State == islands.Asked:
		s.Do = []string{"withdraw"}
	case d == islands.Out && side.State == islands.Offered:
		s.Do = []string{"uninvite"}
	case d == islands.In && side.State == islands.Offered:
		s.Do = []string{"decline"}
	}
	return s
}

// forms are what can be asked, offered and given.
func (h *handlers) forms(v *frontend.IslandView, st *islands.Status, tried attempt, ours islands.Settings, mine, theirs []islands.Word, lang string) {
	form := func(name string, scope islands.Scope, words []islands.Word, languages []string) *frontend.ScopeForm {
		t, kept := stands(scope, ours)
		t.passOn, t.policy = st.Out.PassOn || st.Out.State == islands.Asked, string(st.In.Policy)
		if tried.form == name {
			t = tried.scope
		}
		f := h.scopeForm(name, t, ours, kept, words, languages, lang)
		if tried.form == name {
			f.Wrong, f.Open = tried.wrong, true
		}
		return f
	}
	if !st.Blocked && (st.In.State != islands.Paused || !st.In.ByUs) && st.Plain == nil {
		want := st.In.Asked
		if st.In.State == islands.Offered {
			want = st.In.Agreed
		}
		v.Ask = form("ask", want, theirs, append(slices.Clone(st.About.Languages), h.Languages()...))
		v.Ask.Stands = st.In.Active()
		v.Ask.Open = v.Ask.Open || st.In.State == "" && st.Out.State == "" || st.In.State == islands.Offered
	}
	switch {
	case st.Blocked || st.Plain != nil:
	case st.Out.State == islands.Asked || st.Out.Active():
		give := st.Out.Stands()
		v.Give = form("give", give, mine, append(h.Languages(), st.Out.Asked.Languages...))
		v.Give.Tag = give.Tag()
	case over(st.Out.State):
		v.Offer = form("offer", islands.Scope{}, mine, h.Languages())
	}
}

// refusalCodes are the reasons of package islands as codes of the locale's [archipelago_refusal].
var refusalCodes = map[string]string{
	"not proved, or not well-formed": "unproved", "of another island, which was not agreed": "others", "of an island that is not followed any more": "left",
	"of a blocked island": "blocked", "out of scope": "scope", "its id is somebody else's": "taken", "more entries than agreed": "limit", "not valid here": "invalid",
	"too large": "large", "too many corrections": "corrections", "no correction of an entry of ours": "correction", "not to be had": "away", "not well-formed": "form",
	"of a blocked server": "server", "of another server, which was not asked for": "elsewhere", "of an island that is followed itself": "island",
	"not public": "private", "over": "over", "without a place": "place",
}

func refusals(l *frontend.Localizer, counts map[string]int) (out []frontend.IslandRefusal) {
	for why, n := range counts {
		said := why
		if code := refusalCodes[why]; code != "" {
			said = l.Code("archipelago_refusal", code)
		}
		out = append(out, frontend.IslandRefusal{Why: said, Count: n})
	}
	slices.SortFunc(out, func(a, b frontend.IslandRefusal) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Why, b.Why)
	})
	return out
}

// away reports whether an error may pass when something is tried again.
func away(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, directory.ErrUnavailable) || federation.MayPass(err)
}

// change does what the operator decided about an island.
func (h *handlers) change(c *fiber.Ctx) error {
	host, err := h.hostParam(c)
	if err != nil {
		return err
	}
	ctx, store, l := c.UserContext(), h.Directory.Store(), frontend.T(h.Server.Page(c, "").Lang)
	do := c.FormValue("do")
	direction := islands.Direction(c.FormValue("direction"))
	switch do {
	case "pause", "resume", "end", "withdraw", "uninvite", "decline":
		if direction != islands.In && direction != islands.Out {
			return directory.Invalid{{Field: "direction", Code: directory.CodeUnknown, Params: map[string]any{"value": string(direction)}}}
		}
	}
	switch do {
	case "zone", "ask", "offer", "give":
		return h.changeScope(c, host, do)
	case "accept":
		_, err = islands.AcceptSeen(ctx, store, host, c.FormValue("asked"), nil, c.FormValue("pass_on") != "")
	case "refuse":
		reason := strings.ToValidUTF8(strings.TrimSpace(c.FormValue("reason")), "")
		if n := len([]rune(reason)); n > 500 {
			return h.showIsland(c, host, attempt{reason: reason, said: problemText(l, directory.Problem{Field: "reason", Code: directory.CodeTooLong, Params: map[string]any{"max": 500, "got": n}}), status: http.StatusBadRequest})
		}
		_, err = islands.Refuse(ctx, store, host, reason)
	case "pause":
		_, err = islands.Pause(ctx, store, host, direction)
	case "resume":
		_, err = islands.Resume(ctx, store, host, direction)
	case "end":
		_, err = islands.End(ctx, store, host, direction)
	case "withdraw", "uninvite", "decline":
		_, err = islands.Withdraw(ctx, store, host, direction)
	case "policy":
		limit, policy := strings.TrimSpace(c.FormValue("limit")), c.FormValue("policy")
		most := 0
		if limit != "" {
			if most, err = strconv.Atoi(strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", ",", "").Replace(limit)); err != nil || most < 1 || most > 100_000_000 {
				problem := directory.Problem{Field: "limit", Code: directory.CodeInvalid, Params: map[string]any{"value": limit}}
				return h.showIsland(c, host, attempt{limit: limit, policy: policy, limits: problemText(l, problem), said: l.Text("admin.wrong"), status: http.StatusBadRequest})
			}
		}
		if !slices.Contains(frontend.IslandPolicies, policy) {
			return directory.Invalid{{Field: "policy", Code: directory.CodeUnknown, Params: map[string]any{"value": policy}}}
		}
		if _, err = islands.SetPolicy(ctx, store, host, islands.Policy(policy)); err == nil {
			_, err = islands.SetLimit(ctx, store, host, most)
		}
	case "now", "compare":
		err = islands.AskNow(ctx, store, host, do == "compare")
	default:
		return directory.Invalid{{Field: "do", Code: directory.CodeUnknown, Params: map[string]any{"value": do}}}
	}
	return h.changed(c, host, do, err)
}

// changed answers after a decision. One that the agreement does not allow any more is no error of the operator's.
func (h *handlers) changed(c *fiber.Ctx, host, do string, err error) error {
	if errors.Is(err, islands.ErrNoAgreement) {
		l := frontend.T(h.Server.Page(c, "").Lang)
		return h.showIsland(c, host, attempt{said: l.Text("archipelago.why_changed"), status: http.StatusConflict})
	}
	if err != nil {
		return err
	}
	h.Log.Info("islands: the operator decided", "island", host, "what", do, "direction", c.FormValue("direction"), "author", account.From(c).Author())
	return c.Redirect(frontend.IslandURL(host)+"?"+url.Values{"done": {do}}.Encode(), http.StatusSeeOther)
}

// changeScope asks, offers, or gives what a form says, or looks for a territory by its name.
func (h *handlers) changeScope(c *fiber.Ctx, host, do string) error {
	ctx, store, l := c.UserContext(), h.Directory.Store(), frontend.T(h.Server.Page(c, "").Lang)
	name := do
	if do == "zone" {
		if name = c.FormValue("form"); !slices.Contains([]string{"ask", "offer", "give"}, name) {
			return directory.Invalid{{Field: "form", Code: directory.CodeUnknown, Params: map[string]any{"value": name}}}
		}
	}
	ours, err := islands.LoadSettings(ctx, store)
	if err != nil {
		return err
	}
	a, err := islands.With(ctx, store, host)
	if err != nil {
		return err
	}
	before := a.In.Asked
	switch {
	case name == "ask" && a.In.State == islands.Offered:
		before = a.In.Agreed
	case name == "give":
		before = a.Out.Stands()
	case name == "offer":
		before = islands.Scope{}
	}
	if do == "give" && before.Tag() != c.FormValue("asked") {
		return h.changed(c, host, do, islands.ErrNoAgreement) // the outline that is kept would be one that nobody here has seen
	}
	_, kept := stands(before, ours)
	t, problems := readScope(c, ours, kept)
	tried := attempt{form: name, scope: t}
	if do == "zone" {
		tried.scope.sought = true
		if tried.scope.where != "kept" {
			tried.scope.where, tried.scope.scope.Zones = "zones", many(c, "zones")
		}
		return h.showIsland(c, host, tried)
	}
	if len(problems) == 0 {
		switch do {
		case "ask":
			_, err = islands.AskSaying(ctx, store, host, t.scope, islands.Policy(t.policy), t.message)
		case "offer":
			_, err = islands.Offer(ctx, store, host, t.scope)
		case "give":
			_, err = islands.AcceptSeen(ctx, store, host, c.FormValue("asked"), &t.scope, t.passOn)
		}
		var invalid directory.Invalid
		if !errors.As(err, &invalid) {
			return h.changed(c, host, do, err)
		}
		problems = invalid
	}
	for _, problem := range problems {
		tried.wrong = append(tried.wrong, problemText(l, problem))
	}
	tried.said, tried.status = l.Text("admin.wrong"), http.StatusBadRequest
	return h.showIsland(c, host, tried)
}

// problemText says what is wrong with a field.
func problemText(l *frontend.Localizer, p directory.Problem) string {
	field, text := l.ProblemText(frontend.Problem{Field: p.Field, Code: p.Code, Params: p.Params})
	if field != "" {
		return field + l.Text("archipelago.colon") + " " + text
	}
	return text
}
