package islands

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

// terms is the name of our vocabulary.
const terms = "urn:archipel:"

// mirrorContext is the @context of what the mirror sends. It is short: every activity carries it twice.
func mirrorContext() []any {
	return []any{
		vocab.Context, "https://w3id.org/security/data-integrity/v2",
		map[string]any{"archipel": terms, "feature": map[string]any{"@id": "archipel:feature", "@type": "@json"}, "words": map[string]any{"@id": "archipel:words", "@type": "@json"},
			"epoch": "archipel:epoch", "version": "archipel:version"},
	}
}

// objectTypes are what entries are called in ActivityStreams.
var objectTypes = map[directory.Kind]string{
	directory.Event: "Event", directory.Place: "Place", directory.Initiative: "Article", directory.Organisation: "Page",
}

func (s *Service) objectID(id directory.ID) string { return s.base + "/id/" + string(id) }

func appendVersion(b []byte, epoch int64, v directory.Seq) []byte {
	return strconv.AppendInt(append(strconv.AppendInt(b, epoch, 10), '.'), int64(v), 10)
}

// licence is an entry's own, or the one that the site gives to those without.
func (s *Service) licence(e *directory.Entry) string {
	if e.Licence != "" {
		return e.Licence
	}
	return s.Site().Licence
}

// document is one of our entries as other directories get it: in the terms of ActivityStreams for whoever knows no others,
// and whole as a GeoJSON feature.
func (s *Service) document(e *directory.Entry, epoch int64) (map[string]any, error) {
	id := s.objectID(e.ID)
	whole := e.Clone()
	whole.Private, whole.Licence = nil, s.licence(e)
	page := s.base + "/e/" + url.PathEscape(e.Slug)
	if whole.Source == nil {
		whole.Source = &directory.Source{Name: s.Site().Name, URL: page}
	}
	for i := range whole.Images {
		if strings.HasPrefix(whole.Images[i].URL, "/") {
			whole.Images[i].URL = s.base + whole.Images[i].URL
		}
	}
	feature, err := asMap(whole)
	if err != nil {
		return nil, err
	}
	doc := map[string]any{
		"id": id, "type": objectTypes[e.Kind], "attributedTo": s.mirrorID(), "to": []any{vocab.Public}, "name": e.Name,
		"url": page, "published": stamp(e.Created), "updated": stamp(e.Updated),
		"epoch": float64(epoch), "version": float64(e.Version), "feature": feature,
	}
	if e.Summary != "" {
		doc["summary"] = e.Summary
	}
	if v := e.Event; v != nil {
		doc["startTime"] = stamp(v.Start)
		if !v.End.IsZero() {
			doc["endTime"] = stamp(v.End)
		}
	}
	if len(e.Sites) > 0 && e.Kind == directory.Place {
		doc["longitude"], doc["latitude"] = e.Sites[0][0], e.Sites[0][1]
	} else if len(e.Sites) > 0 {
		doc["location"] = map[string]any{"type": "Place", "name": e.Town(), "longitude": e.Sites[0][0], "latitude": e.Sites[0][1]}
	}
	if len(e.Categories) > 0 {
		words, err := asAny(s.wordsOf(e))
		if err != nil {
			return nil, err
		}
		doc["words"] = words
	}
	return doc, nil
}

// asMap is what a value becomes by way of JSON.
func asMap(v any) (m map[string]any, err error) {
	b, err := encode(v)
	if err != nil {
		return nil, err
	}
	return m, json.Unmarshal(b, &m)
}

func asAny(v any) (a any, err error) {
	b, err := encode(v)
	if err != nil {
		return nil, err
	}
	return a, json.Unmarshal(b, &a)
}

// activity is the signed word of this directory about the state of one of its entries. It is the same for all who hear it.
func (s *Service) activity(e *directory.Entry) (json.RawMessage, error) {
	epoch := s.self.epoch()
	return s.bodies.of(bodyKey{e.ID, epoch, e.Version}, func() (json.RawMessage, error) {
		verb := "Update"
		if e.Created.Equal(e.Updated) {
			verb = "Create"
		}
		var object map[string]any
		var err error
		if e.Public() {
			object, err = s.document(e, epoch)
		} else {
			verb = "Delete"
			object = map[string]any{
				"id": s.objectID(e.ID), "type": "Tombstone", "formerType": objectTypes[e.Kind], "deleted": stamp(e.Updated),
				"epoch": float64(epoch), "version": float64(e.Version),
			}
		}
		if err != nil {
			return nil, err
		}
		doc := map[string]any{
			"@context": mirrorContext(), "id": s.mirrorID() + "/activities/" + string(e.ID) + "/" + string(appendVersion(nil, epoch, e.Version)),
			"type": verb, "actor": s.mirrorID(), "to": []any{vocab.Public}, "published": stamp(e.Updated), "object": object,
		}
		if err := s.Network.Prove(actorName, doc); err != nil {
			return nil, err
		}
		return encode(doc)
	})
}

// state is what an activity of a mirror says of an object.
type state struct {
	origin  string // host
	id      directory.ID
	object  string // address
	page    string // of its page there; empty: where the address leads
	gone    bool
	epoch   int64
	version directory.Seq
	entry   directory.Entry // unless it is gone
	words   []word
	raw     string
	event   *plainEvent // when it came of a plain actor
}

// errForm is an activity that says nothing that can be taken; it will not get better by coming again.
var errForm = fmt.Errorf("this is no state of an entry: %w", vocab.ErrForm)

// limits of one object.
const (
	maxObject  = 256 << 10 // bytes of its activity
	maxVersion = 1 << 52   // so that every reader of JSON agrees on it
)

// read understands the activity of a mirror and checks who says it: the actor is the mirror of the host that the object's id
// belongs to, and its proof holds, whoever brought it.
func (s *Service) read(ctx context.Context, doc map[string]any) (*state, error) {
	st, actor, err := s.parse(doc)
	if err != nil {
		return nil, err
	}
	if err := s.checkOrigin(ctx, actor, st.origin, doc); err != nil {
		return nil, err
	}
	st.raw, err = pack(doc)
	return st, err
}

// parse understands the activity of a mirror.
func (s *Service) parse(doc map[string]any) (st *state, actor string, err error) {
	// Mirrors speak in one way only: each type is one word, and the object comes along.
	a := &vocab.Activity{ID: vocab.Text(doc, "id"), Type: vocab.Text(doc, "type"), Actor: vocab.Text(doc, "actor"), Objects: vocab.Refs(doc, "object")}
	if context, there := doc["@context"]; len(a.Objects) != 1 || there && context == nil { // null is kept as if nothing were said
		return nil, "", errForm
	}
	o := a.Object()
	st = &state{object: o.ID, origin: vocab.Host(o.ID)}
	rest, ok := strings.CutPrefix(o.ID, s.scheme+"://"+st.origin+"/id/")
	st.id = directory.ID(rest)
	if !ok || !st.id.Valid() || o.Doc == nil || !vocab.SameOrigin(a.Actor, o.ID) || !vocab.SameOrigin(a.ID, o.ID) {
		return nil, "", fmt.Errorf("%.200q by %.200q: %w", o.ID, a.Actor, errForm)
	}
	if st.origin == s.host {
		return nil, "", fmt.Errorf("%.200q is ours: %w", o.ID, errOurs)
	}
	if st.epoch, ok = integer(o.Doc["epoch"]); !ok {
		return nil, "", fmt.Errorf("epoch of %.200q: %w", o.ID, errForm)
	}
	v, ok := integer(o.Doc["version"])
	if st.version = directory.Seq(v); !ok || v < 1 {
		return nil, "", fmt.Errorf("version of %.200q: %w", o.ID, errForm)
	}
	switch {
	case a.Type == "Delete" && o.Type == "Tombstone":
		st.gone = true
	case a.Type == "Create" || a.Type == "Update":
		if err := st.take(o); err != nil {
			return nil, "", err
		}
	default:
		return nil, "", fmt.Errorf("%s of a %s: %w", a.Type, o.Type, errForm)
	}
	return st, a.Actor, nil
}

var errOurs = fmt.Errorf("an echo: %w", errForm)

// checkOrigin checks that an activity is by the mirror of its origin.
func (s *Service) checkOrigin(ctx context.Context, actor, origin string, doc map[string]any) error {
	if known := s.cache.get(origin); known != nil && known.Actor != "" {
		if known.Actor != actor {
			return fmt.Errorf("%.200q is not the mirror of %s: %w", actor, origin, errForm)
		}
	} else {
		about, err := s.Network.RemoteActor(ctx, actor)
		if err != nil {
			return err
		}
		if !isMirror(about) {
			return fmt.Errorf("%.200q is no mirror: %w", actor, errForm)
		}
	}
	if s.Network.Blocks(origin) {
		return fmt.Errorf("%s is blocked: %w", origin, errForm)
	}
	return s.Network.CheckProofOf(ctx, doc, actor)
}

// take reads the entry out of an object.
func (st *state) take(o vocab.Ref) error {
	b, err := json.Marshal(o.Doc["feature"])
	if err != nil {
		return fmt.Errorf("feature of %.200q: %w", o.ID, errForm)
	}
	if err := json.Unmarshal(b, &st.entry); err != nil {
		return fmt.Errorf("feature of %.200q: %w: %w", o.ID, err, errForm)
	}
	e := &st.entry
	switch {
	case e.ID != st.id:
		return fmt.Errorf("%.200q holds the entry %.60q: %w", o.ID, e.ID, errForm)
	case objectTypes[e.Kind] != o.Type:
		return fmt.Errorf("%.200q is a %s and a %.60q: %w", o.ID, o.Type, e.Kind, errForm)
	case e.Status != directory.Published:
		return fmt.Errorf("%.200q is not published where it comes from: %w", o.ID, errForm)
	case e.Source == nil || !directory.KnownLicence(e.Licence):
		return fmt.Errorf("%.200q names no source or no licence: %w", o.ID, errForm)
	case e.Origin != "" && e.Origin != st.origin:
		return fmt.Errorf("%.200q says that it belongs to %.100q: %w", o.ID, e.Origin, errForm)
	}
	e.Origin, e.Private = st.origin, nil
	st.page = pageOf(vocab.Text(o.Doc, "url"), st.origin)
	if b, err = json.Marshal(o.Doc["words"]); err == nil && o.Doc["words"] != nil {
		err = json.Unmarshal(b, &st.words)
	}
	if err != nil {
		return fmt.Errorf("words of %.200q: %w", o.ID, errForm)
	}
	st.words = cleanWords(st.words, directory.MaxList)
	return nil
}

// integer reads a whole number that is not negative.
func integer(v any) (int64, bool) {
	f, ok := v.(float64)
	if !ok || f < 0 || f > maxVersion || f != float64(int64(f)) {
		return 0, false
	}
	return int64(f), true
}

// pack keeps an activity small: without the @context that all of ours have, and compressed.
func pack(doc map[string]any) (string, error) {
	slim := make(map[string]any, len(doc))
	for k, v := range doc {
		slim[k] = v
	}
	context, there := slim["@context"]
	standard := any(mirrorContext())
	proof, _ := slim["proof"].(map[string]any)
	switch {
	case !there:
		slim["@context"] = nil // unpack takes it out again
	case reflect.DeepEqual(context, standard) && reflect.DeepEqual(proof["@context"], standard):
		delete(slim, "@context")
		bare := maps.Clone(proof)
		delete(bare, "@context")
		slim["proof"] = bare
	}
	b, err := encode(slim)
	if err != nil {
		return "", err
	}
	if len(b) > fetch.MaxUnpacked { // as JSON is written here, which may be longer than how it came
		return "", fmt.Errorf("%d bytes: %w", len(b), errForm)
	}
	p := packers.Get().(*packer)
	defer packers.Put(p)
	p.out.Reset()
	p.w.Reset(&p.out)
	if _, err := p.w.Write(b); err != nil {
		return "", err
	}
	if err := p.w.Close(); err != nil {
		return "", err
	}
	return base64.RawStdEncoding.EncodeToString(p.out.Bytes()), nil
}

type packer struct {
	w   *flate.Writer
	out bytes.Buffer
}

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriterDict(io.Discard, flate.BestSpeed, []byte(dictionary))
	if err != nil {
		panic(err) // the level is a constant
	}
	return &packer{w: w}
}}

// dictionary is what packed activities have in common. It must never change: what was packed with it could not be read.
const dictionary = `"https://www.w3.org/ns/activitystreams#Public"],"summary":"","location":{"latitude":4,"longitude":4,"name":"","type":"Place"},"startTime":"20` +
	`"openingHours":"Mo-Fr 09:00-12:00,14:00-18:00","accessibility":{"wheelchair":"yes"},"identifiers":{"siret":"` +
	`"words":[{"id":"","label":{"en":"","fr":""},"needs":["food"],"osm":["shop=farm","amenity="],"schema":"Organization","under":["alimentation"]}]},` +
	`"proof":{"created":"202","cryptosuite":"eddsa-jcs-2022","proofPurpose":"assertionMethod","proofValue":"z","type":"DataIntegrityProof","verificationMethod":"https://.org/ap/mirror#ed25519-key"},` +
	`"to":["https://www.w3.org/ns/activitystreams#Public"],"type":"Update","published":"2027-` +
	`{"actor":"https://.org/ap/mirror","id":"https://.org/ap/mirror/activities/","object":{"attributedTo":"https://.fr/ap/mirror","epoch":0,"feature":{"geometry":{"coordinates":[4.,45.],"type":"Point"},"id":"01","properties":` +
	`{"address":{"addressCountry":"FR","addressLocality":"Saint-","municipality":"","postalCode":"42","streetAddress":"rue de la"},"categories":["` +
	`"],"contact":{"email":"contact@","phone":"+33 4","website":"https://www."},"created":"202","description":"","event":{"end":"20","start":"20","timezone":"Europe/Paris"},"kind":"organisation","lang":"fr","licence":"ODbL-1.0",` +
	`"links":[{"rel":"website","url":"https://www."}],"name":"Association","slug":"association-","source":{"externalId":"","name":"","url":"https://"},"status":"published","summary":"","tags":["` +
	`"],"updated":"202","version":1},"type":"Feature"},"name":"","published":"202","type":"Page","updated":"202","url":"https:///e/","version":`

// unpack is the activity that pack was given.
func unpack(raw string) (map[string]any, error) {
	b, err := base64.RawStdEncoding.DecodeString(raw)
	if err != nil {
		return nil, fmt.Errorf("packed activity: %w: %w", directory.ErrCorrupt, err)
	}
	r := flate.NewReaderDict(bytes.NewReader(b), []byte(dictionary))
	plain, err := io.ReadAll(io.LimitReader(r, fetch.MaxUnpacked))
	if err != nil {
		return nil, fmt.Errorf("packed activity: %w: %w", directory.ErrCorrupt, err)
	}
	var doc map[string]any
	if err := json.Unmarshal(plain, &doc); err != nil {
		return nil, fmt.Errorf("packed activity: %w: %w", directory.ErrCorrupt, err)
	}
	if context, there := doc["@context"]; there && context == nil {
		delete(doc, "@context")
	} else if !there {
		doc["@context"] = mirrorContext()
		if proof, ok := doc["proof"].(map[string]any); ok {
			proof["@context"] = mirrorContext()
		}
	}
	return doc, nil
}

// Received is the activity by which an entry of another directory came here, as it was received, with its origin's proof;
// nil for one that is ours or was purged.
func Received(e *directory.Entry) (map[string]any, error) {
	if e.Private == nil || e.Private.Mirror == nil || e.Private.Mirror.Raw == "" {
		return nil, nil
	}
	return unpack(e.Private.Mirror.Raw)
}

// bodyCache keeps the last activities that were made.
type bodyCache struct {
	mu   sync.Mutex
	kept map[bodyKey]json.RawMessage
}

type bodyKey struct {
	id      directory.ID
	epoch   int64
	version directory.Seq
}

func (c *bodyCache) of(key bodyKey, make_ func() (json.RawMessage, error)) (json.RawMessage, error) {
	c.mu.Lock()
	body, ok := c.kept[key]
	c.mu.Unlock()
	if ok {
		return body, nil
	}
	body, err := make_()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= 128 {
		c.kept = map[bodyKey]json.RawMessage{}
	}
	c.kept[key] = body
	return body, nil
}

// withVia returns a sorted list of hosts with one more, and whether it is new.
func withVia(via []string, host string) ([]string, bool) {
	at, found := slices.BinarySearch(via, host)
	if found {
		return via, false
	}
	return slices.Insert(slices.Clone(via), at, host), true
}
