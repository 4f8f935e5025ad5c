package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/hours"
	"archipel/directory/media"

	"github.com/gofiber/fiber/v2"
)

// Writes are those of OGC API Features, Part 4 (create, replace, update, delete), with optimistic locking by ETag. Who may
// do what is decided by package account; which fields a writer decides is decided here, by one table.

// given are the fields that a writer decides: each copies one. What is not in it, the server decides.
var given = map[string]func(dst, src *directory.Entry){
	"Name":          func(d, s *directory.Entry) { d.Name = s.Name },
	"Summary":       func(d, s *directory.Entry) { d.Summary = s.Summary },
	"Description":   func(d, s *directory.Entry) { d.Description = s.Description },
	"Lang":          func(d, s *directory.Entry) { d.Lang = s.Lang },
	"Translations":  func(d, s *directory.Entry) { d.Translations = s.Translations },
	"Categories":    func(d, s *directory.Entry) { d.Categories = s.Categories },
	"Tags":          func(d, s *directory.Entry) { d.Tags = s.Tags },
	"Sites":         func(d, s *directory.Entry) { d.Sites = s.Sites },
	"Approximate":   func(d, s *directory.Entry) { d.Approximate = s.Approximate },
	"Area":          func(d, s *directory.Entry) { d.Area = s.Area },
	"Address":       func(d, s *directory.Entry) { d.Address = s.Address },
	"Contact":       func(d, s *directory.Entry) { d.Contact = s.Contact },
	"Links":         func(d, s *directory.Entry) { d.Links = s.Links },
	"OpeningHours":  func(d, s *directory.Entry) { d.OpeningHours = s.OpeningHours },
	"Images":        func(d, s *directory.Entry) { d.Images = s.Images },
	"Accessibility": func(d, s *directory.Entry) { d.Accessibility = s.Accessibility },
	"Identifiers":   func(d, s *directory.Entry) { d.Identifiers = s.Identifiers },
	"Extra":         func(d, s *directory.Entry) { d.Extra = s.Extra },
	"Event":         func(d, s *directory.Entry) { d.Event = s.Event },
	"Relations":     func(d, s *directory.Entry) { d.Relations = s.Relations },
	// An entry of a source stays under the licence of the source.
	"Licence": func(d, s *directory.Entry) {
		if d.Source == nil {
			d.Licence = s.Licence
		}
	},
	// An entry is what it is from the beginning.
	"Kind": func(d, s *directory.Entry) {
		if d.Version == 0 {
			d.Kind = s.Kind
		}
	},
}

// take copies into dst what a writer decides.
func take(dst, src *directory.Entry) {
	for _, f := range given {
		f(dst, src)
	}
}

// propertyNames are the names of an entry's properties in its public form.
var propertyNames = func() []string {
	var names []string
	for f := range reflect.TypeFor[directory.Entry]().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" && name != "" {
			names = append(names, name)
		}
	}
	return names
}()

// writeRoutes adds the writes of the API. Without accounts there are none.
func (s *Server) writeRoutes(g fiber.Router) {
	if s.Accounts == nil {
		return
	}
	g.Post("/collections/:collection/items", s.createItem)
	g.Put("/collections/:collection/items/:id", s.replaceItem)
	g.Patch("/collections/:collection/items/:id", s.updateItem)
	g.Delete("/collections/:collection/items/:id", s.deleteItem)
}

// createItem adds an entry (Part 4, requirements class "Create/Replace/Delete").
func (s *Server) createItem(c *fiber.Ctx) error {
	kind, err := collectionKind(c.Params("collection"))
	if err != nil {
		return err
	}
	if err := account.Check(c, account.EntryCreate, nil); err != nil {
		return err
	}
	if err := accepts(c, typeGeoJSON, typeJSON); err != nil {
		return err
	}
	sent, err := decodeFeature(c.Body())
	if err != nil {
		return err
	}
	e := directory.Entry{ID: directory.NewID()}
	take(&e, &sent)
	if kind != "" && e.Kind == "" {
		e.Kind = kind
	}
	if kind != "" && e.Kind != kind {
		return invalidParam("kind", directory.CodeUnknown, string(e.Kind))
	}
	if err := s.check(c, nil, &e); err != nil {
		return err
	}
	s.own(c, &e, nil)
	saved, err := s.Directory.Put(c.UserContext(), account.From(c).Author(), e)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, s.base(c)+"/api/collections/"+c.Params("collection")+"/items/"+string(saved.ID))
	c.Status(http.StatusCreated)
	return s.sendItem(c, &saved)
}

// replaceItem puts a whole entry in the place of one; what it leaves out is emptied.
func (s *Server) replaceItem(c *fiber.Ctx) error {
	was, err := s.writable(c, account.EntryEdit)
	if err != nil {
		return err
	}
	if err := accepts(c, typeGeoJSON, typeJSON); err != nil {
		return err
	}
	sent, err := decodeFeature(c.Body())
	if err != nil {
		return err
	}
	return s.putItem(c, was, &sent)
}

// updateItem changes some properties (JSON Merge Patch, RFC 7396): null takes one away.
func (s *Server) updateItem(c *fiber.Ctx) error {
	was, err := s.writable(c, account.EntryEdit)
	if err != nil {
		return err
	}
	if err := accepts(c, "application/merge-patch+json", typeGeoJSON, typeJSON); err != nil {
		return err
	}
	b, err := json.Marshal(was)
	if err != nil {
		return err
	}
	var now, patch map[string]any
	if err := json.Unmarshal(b, &now); err != nil {
		return err
	}
	if err := json.Unmarshal(c.Body(), &patch); err != nil || patch == nil {
		return invalidParam("body", directory.CodeInvalid, fmt.Sprint(err))
	}
	if b, err = json.Marshal(mergePatch(now, patch, 0)); err != nil {
		return err
	}
	sent, err := decodeFeature(b)
	if err != nil {
		return err
	}
	return s.putItem(c, was, &sent)
}

func (s *Server) putItem(c *fiber.Ctx, was, sent *directory.Entry) error {
	e := was.Clone()
	take(&e, sent)
	if err := s.check(c, was, &e); err != nil {
		return err
	}
	if s.reviewsFirst(account.From(c), was) {
		return s.holdItem(c, was, &e)
	}
	saved, err := s.Directory.Put(c.UserContext(), account.From(c).Author(), e)
	if err != nil {
		return stale(err)
	}
	return s.sendItem(c, &saved)
}

// deleteItem takes an entry away. Its history stays, and its address answers that it is gone.
func (s *Server) deleteItem(c *fiber.Ctx) error {
	e, err := s.writable(c, account.EntryRemove)
	if err != nil {
		return err
	}
	e.Status = directory.Removed
	if _, err := s.Directory.Put(c.UserContext(), account.From(c).Author(), *e); err != nil {
		return stale(err)
	}
	return c.SendStatus(http.StatusNoContent)
}

// stale is what a conflict is to a program that sent If-Match.
func stale(err error) error {
	var conflict *directory.ConflictError
	if errors.As(err, &conflict) {
		return fiber.NewError(http.StatusPreconditionFailed)
	}
	return err
}

// writable reads the entry of the address for a writer: one who may, and who names the version that stands.
func (s *Server) writable(c *fiber.Ctx, action account.Action) (*directory.Entry, error) {
	kind, err := collectionKind(c.Params("collection"))
	if err != nil {
		return nil, err
	}
	// Who may not at all is told so before anything is said of the entry.
	if err := account.Check(c, action, nil); err != nil {
		return nil, err
	}
	e, err := s.readable(c, directory.ID(c.Params("id")))
	if err != nil {
		return nil, err
	}
	if kind != "" && e.Kind != kind {
		return nil, directory.ErrNotFound
	}
	if err := account.Check(c, action, &e); err != nil {
		return nil, err
	}
	match := strings.TrimSpace(c.Get(fiber.HeaderIfMatch))
	if match == "" {
		return nil, fiber.NewError(http.StatusPreconditionRequired)
	}
	for _, tag := range strings.Split(match, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == entryTag(&e) {
			return &e, nil
		}
	}
	c.Set(fiber.HeaderETag, entryTag(&e))
	return nil, fiber.NewError(http.StatusPreconditionFailed)
}

// readable reads an entry that the actor may see.
func (s *Server) readable(c *fiber.Ctx, id directory.ID) (directory.Entry, error) {
	e, err := s.Directory.Entry(c.UserContext(), id)
	switch {
	case err != nil:
		return e, err
	case e.Status == directory.Removed:
		return directory.Entry{}, goneError{}
	case !s.mayRead(c, &e):
		return directory.Entry{}, directory.ErrNotFound
	}
	return e, nil
}

// check refuses what only a writer who is not a form can send: pictures that are not here, relations to what is not the
// writer's, opening hours that nobody understands.
func (s *Server) check(c *fiber.Ctx, was, e *directory.Entry) error {
	var problems directory.Invalid
	if was == nil {
		was = &directory.Entry{}
	}
	for i, m := range e.Images {
		had := slices.ContainsFunc(was.Images, func(o directory.Image) bool { return o.URL == m.URL })
		if !strings.HasPrefix(m.URL, media.Prefix) || had {
			continue
		}
		if _, ok, err := s.measure(c.UserContext(), m.URL); err != nil {
			return err
		} else if !ok {
			problems = append(problems, invalidParam(fmt.Sprintf("images[%d].url", i), directory.CodeUnknown, m.URL)...)
		}
	}
	if e.OpeningHours != "" && e.OpeningHours != was.OpeningHours {
		if _, err := hours.Parse(e.OpeningHours); err != nil {
			problems = append(problems, invalidParam("openingHours", directory.CodeInvalid, e.OpeningHours)...)
		}
	}
	for _, code := range zonesOf(e) {
		if !s.validZone(code) && !slices.Contains(zonesOf(was), code) {
			problems = append(problems, invalidParam("area.zones", directory.CodeUnknown, code)...)
		}
	}
	for i, r := range e.Relations {
		if slices.Contains(was.Relations, r) || i >= directory.MaxRelations { // more are refused
			continue
		}
		field := fmt.Sprintf("relations[%d].target", i)
		target, err := s.readable(c, r.Target)
		switch {
		case errors.Is(err, directory.ErrNotFound), errors.Is(err, directory.ErrGone):
			problems = append(problems, invalidParam(field, directory.CodeUnknown, string(r.Target))...)
		case err != nil:
			return err
		case binds(e.Kind, r.Rel) && account.May(account.From(c), account.EntryEdit, &target) != nil:
			// It would show on the page of somebody else's entry, or in its calendar.
			problems = append(problems, directory.Problem{Field: field, Code: directory.CodeNotYours})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// binds reports whether by a relation an entry of a kind puts itself, or its target, into what others are told of its target. A
// group may say by itself of which network it is a part; an event that says so is in the calendar of that.
func binds(kind directory.Kind, rel string) bool {
	return rel == "organises" || rel == "organisedBy" || rel == "hosts" || rel == "partOf" && kind == directory.Event
}

func zonesOf(e *directory.Entry) []string {
	if e.Area == nil {
		return nil
	}
	return e.Area.Zones
}

// sendItem answers with an entry as it stands.
func (s *Server) sendItem(c *fiber.Ctx, e *directory.Entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderETag, entryTag(e))
	c.Set("Content-Crs", "<"+crs84+">")
	c.Set(fiber.HeaderContentType, typeGeoJSON)
	return c.Send(b)
}

// accepts refuses a body of another media type.
func accepts(c *fiber.Ctx, types ...string) error {
	sent, _, _ := strings.Cut(c.Get(fiber.HeaderContentType), ";")
	if !slices.Contains(types, strings.ToLower(strings.TrimSpace(sent))) {
		return fiber.NewError(http.StatusUnsupportedMediaType)
	}
	return nil
}

// maxDepth is how deep the JSON of an entry may be.
const maxDepth = 40

// decodeFeature reads a GeoJSON Feature. A property that entries do not have is a mistake, and its name is told.
func decodeFeature(b []byte) (directory.Entry, error) {
	var e directory.Entry
	var head struct {
		Type       string                     `json:"type"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return e, bodyProblem(err)
	}
	if head.Type != "Feature" {
		return e, invalidParam("type", directory.CodeUnknown, head.Type)
	}
	var problems directory.Invalid
	for name := range head.Properties {
		if !slices.Contains(propertyNames, name) {
			problems = append(problems, invalidParam(name, directory.CodeUnknown, name)...)
		}
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b directory.Problem) int { return strings.Compare(a.Field, b.Field) })
		return e, problems
	}
	// Only what a writer decides is read: an id or a version of another form is no mistake of this entry's.
	var feature map[string]json.RawMessage
	if err := json.Unmarshal(b, &feature); err != nil {
		return e, bodyProblem(err)
	}
	for _, own := range decidedByServer {
		delete(head.Properties, own)
	}
	properties, err := json.Marshal(head.Properties)
	if err != nil {
		return e, err
	}
	clean, err := json.Marshal(map[string]json.RawMessage{"type": feature["type"], "geometry": orNull(feature["geometry"]), "properties": properties})
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(clean, &e); err != nil {
		return e, bodyProblem(err)
	}
	return e, nil
}

func orNull(b json.RawMessage) json.RawMessage {
	if b == nil {
		return json.RawMessage("null")
	}
	return b
}

// bodyProblem names the field that could not be read.
func bodyProblem(err error) directory.Invalid {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return invalidParam(strings.TrimPrefix(strings.TrimPrefix(wrongType.Field, "properties"), "."), directory.CodeInvalid, wrongType.Value)
	}
	if strings.HasPrefix(err.Error(), "geometry") {
		return invalidParam("geometry", directory.CodeInvalid, err.Error())
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return invalidParam("body", directory.CodeInvalid, "JSON, byte "+strconv.FormatInt(syntax.Offset, 10))
	}
	return invalidParam("body", directory.CodeInvalid, err.Error())
}

// mergePatch is RFC 7396.
func mergePatch(target any, patch any, depth int) any {
	changes, ok := patch.(map[string]any)
	if !ok || depth > maxDepth {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for key, value := range changes {
		if value == nil {
			delete(object, key)
		} else {
			object[key] = mergePatch(object[key], value, depth+1)
		}
	}
	return object
}
