package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"archipel/directory"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// Media types.
const (
	typeGeoJSON = "application/geo+json"
	typeJSON    = "application/json"
	typeOpenAPI = "application/vnd.oai.openapi+json;version=3.0"
)

// collections are those of OGC API Features 1.0: everything, and one by kind.
var collections = []struct {
	id   string
	kind directory.Kind // empty: all
}{
	{"entries", ""}, {"organisations", directory.Organisation}, {"places", directory.Place}, {"initiatives", directory.Initiative}, {"events", directory.Event},
}

func collectionKind(id string) (directory.Kind, error) {
	for _, c := range collections {
		if c.id == id {
			return c.kind, nil
		}
	}
	return "", fiber.NewError(http.StatusNotFound, "no such collection")
}

// link is a Web Link (RFC 8288) as OGC API writes it.
type link struct {
	Href  string `json:"href"`
	Rel   string `json:"rel"`
	Type  string `json:"type,omitempty"`
	Title string `json:"title,omitempty"`
}

// known are the parameters of the items resource; any other is refused (OGC API Features 1.0, requirement 8).
var known = []string{"q", "kind", "category", "tag", "near", "radius", "place", "zone", "bbox", "bbox-crs", "crs", "datetime", "open_at", "only", "sort", "after", "limit", "lang", "f"}

const crs84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"

type featureCollection struct {
	Type     string            `json:"type"`
	Stamp    time.Time         `json:"timeStamp"`
	Matched  int               `json:"numberMatched"`
	Returned int               `json:"numberReturned"`
	Links    []link            `json:"links"`
	Features []json.RawMessage `json:"features"`
}

// checkKnown refuses parameters that mean nothing here, and representations and axes that there are not.
func checkKnown(v url.Values) error {
	var problems directory.Invalid
	for key := range v {
		if !slices.Contains(known, key) {
			problems = append(problems, invalidParam(key, directory.CodeUnknown, key)...)
		}
	}
	for _, key := range []string{"crs", "bbox-crs"} {
		if s := v.Get(key); s != "" && s != crs84 && s != "["+crs84+"]" {
			problems = append(problems, invalidParam(key, directory.CodeUnknown, s)...)
		}
	}
	if s := v.Get("f"); s != "" && s != "json" && s != "geojson" {
		problems = append(problems, invalidParam("f", directory.CodeUnknown, s)...)
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// items lists entries of a collection (OGC API Features 1.0, 7.15).
func (s *Server) items(c *fiber.Ctx) error {
	kind, err := collectionKind(c.Params("collection"))
	if err != nil {
		return err
	}
	v, err := values(c)
	if err != nil {
		return err
	}
	if err := checkKnown(v); err != nil {
		return err
	}
	r, err := s.parseValues(v)
	if err != nil {
		return err
	}
	if kind != "" {
		r.filter.Kinds = []directory.Kind{kind}
	}
	if !v.Has("datetime") {
		r.filter.Current = time.Time{} // programs get the past as well
	}
	if err := s.understand(c.UserContext(), &r, s.lang(c)); err != nil {
		return err
	}
	found, err := s.find(c, &r)
	if err != nil {
		return err
	}
	self := s.base(c) + c.Path()
	address := func(change func(url.Values)) string {
		q := url.Values{}
		for k, list := range v {
			q[k] = list
		}
		change(q)
		if len(q) == 0 {
			return self
		}
		return self + "?" + q.Encode()
	}
	out := featureCollection{
		Type: "FeatureCollection", Stamp: s.Now().UTC().Truncate(time.Second), Matched: found.matched, Returned: len(found.entries),
		Links: []link{
			{address(func(url.Values) {}), "self", typeGeoJSON, ""},
			{s.base(c) + "/api/collections/" + c.Params("collection"), "collection", typeJSON, ""},
		},
		Features: make([]json.RawMessage, 0, len(found.entries)),
	}
	if found.next != "" {
		out.Links = append(out.Links, link{address(func(q url.Values) {
			q.Set("after", found.next)
			q.Set("limit", strconv.Itoa(r.limit))
		}), "next", typeGeoJSON, ""})
	}
	for i := range found.entries {
		b, err := s.feature(&found.entries[i])
		if err != nil {
			return err
		}
		out.Features = append(out.Features, b)
	}
	c.Set("Content-Crs", "<"+crs84+">")
	if err := c.JSON(out); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, typeGeoJSON)
	return nil
}

// item is one entry (OGC API Features 1.0, 7.16).
func (s *Server) item(c *fiber.Ctx) error {
	kind, err := collectionKind(c.Params("collection"))
	if err != nil {
		return err
	}
	if merged, err := s.Directory.Entry(c.UserContext(), directory.ID(c.Params("id"))); err == nil {
		if _, moved, err := s.moved(c, &merged, func(into *directory.Entry) string { return s.itemURL(c, into) }); moved || err != nil {
			return err
		}
	}
	e, err := s.readable(c, directory.ID(c.Params("id")))
	if err != nil {
		return err
	}
	if kind != "" && e.Kind != kind {
		return directory.ErrNotFound
	}
	if notModified(c, entryTag(&e)) {
		return nil
	}
	b, err := s.feature(&e)
	if err != nil {
		return err
	}
	links, err := json.Marshal([]link{
		{s.base(c) + c.Path(), "self", typeGeoJSON, ""},
		{s.base(c) + "/api/collections/" + c.Params("collection"), "collection", typeJSON, ""},
		{s.base(c) + "/e/" + e.Slug, "alternate", fiber.MIMETextHTML, ""},
	})
	if err != nil {
		return err
	}
	b = append(append(append(b[:len(b)-1], `,"links":`...), links...), '}')
	c.Set("Content-Crs", "<"+crs84+">")
	if e.Public() {
		c.Set(fiber.HeaderCacheControl, "no-cache")
	} else {
		c.Set(fiber.HeaderCacheControl, "private, no-store")
	}
	c.Set(fiber.HeaderContentType, typeGeoJSON)
	return c.Send(b)
}

// itemURL is the address of an entry in the collection that was asked, or in that of all kinds when it is not of that one.
func (s *Server) itemURL(c *fiber.Ctx, e *directory.Entry) string {
	collection := c.Params("collection")
	if kind, err := collectionKind(collection); err != nil || kind != "" && kind != e.Kind {
		collection = collections[0].id
	}
	address := s.base(c) + "/api/collections/" + collection + "/items/" + string(e.ID)
	if q := c.Request().URI().QueryString(); len(q) > 0 {
		address += "?" + string(q)
	}
	return address
}

// entryTag is the strong ETag of an entry's representations.
func entryTag(e *directory.Entry) string { return `"v` + strconv.FormatInt(int64(e.Version), 10) + `"` }

// public reads an entry that anybody may see. What was removed is gone; what is not public does not exist.
func (s *Server) public(c *fiber.Ctx, id directory.ID) (directory.Entry, error) {
	e, err := s.Directory.Entry(c.UserContext(), id)
	switch {
	case err != nil:
		return e, err
	case e.Status == directory.Removed:
		return directory.Entry{}, goneError{}
	case !e.Public():
		return directory.Entry{}, directory.ErrNotFound
	}
	return e, nil
}

// found is a page of a list.
type found struct {
	entries  []directory.Entry
	distance map[directory.ID]float64 // metres, when there is a point
	matched  int
	next     string
}

// find asks the index which entries match, and the store for what they are.
func (s *Server) find(c *fiber.Ctx, r *request) (found, error) {
	sel, err := s.Index.Select(r.filter, r.page())
	if errors.Is(err, geo.ErrInvalid) && r.after != "" {
		return found{}, invalidParam("after", directory.CodeInvalid, r.after) // everything else was checked before
	}
	if err != nil {
		return found{}, err
	}
	ids := make([]directory.ID, len(sel.Hits))
	f := found{matched: sel.Matched, next: sel.Next}
	if r.filter.Near != nil {
		f.distance = make(map[directory.ID]float64, len(sel.Hits))
	}
	for i, h := range sel.Hits {
		ids[i] = h.ID
		if f.distance != nil && h.Distance >= 0 {
			f.distance[h.ID] = h.Distance
		}
	}
	entries, err := s.Directory.Entries(c.UserContext(), ids)
	if err != nil {
		return found{}, err
	}
	// Between the index and the store an entry may have been hidden.
	f.entries = slices.DeleteFunc(entries, func(e directory.Entry) bool { return !e.Shown() })
	return f, nil
}
