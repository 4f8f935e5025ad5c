package vocab

import (
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"code.superseriousbusiness.org/activity/streams"
	"code.superseriousbusiness.org/activity/streams/vocab"
)

// Terms is the @context of what we send: ActivityStreams, the proofs of W3C, and a name for every other term.
// The library makes one of its own, in which the terms that it does not know have no meaning.
func Terms() []any {
	return []any{
		Context,
		"https://w3id.org/security/data-integrity/v2",
		map[string]any{
			"toot": "http://joinmastodon.org/ns#", "schema": "http://schema.org#", "sc": "http://schema.org#", "mz": "https://joinmobilizon.org/ns#",
			"pt": "https://joinpeertube.org/ns#", "ical": "http://www.w3.org/2002/12/cal/ical#", "event": "https://w3id.org/fep/8a8e/",
			"Hashtag": "as:Hashtag", "manuallyApprovesFollowers": "as:manuallyApprovesFollowers", "sensitive": "as:sensitive",
			"discoverable": "toot:discoverable", "indexable": "toot:indexable",
			"PropertyValue": "schema:PropertyValue", "value": "schema:value",
			"PostalAddress": "sc:PostalAddress", "streetAddress": "sc:streetAddress", "postalCode": "sc:postalCode",
			"addressLocality": "sc:addressLocality", "addressRegion": "sc:addressRegion", "addressCountry": "sc:addressCountry",
			"address": map[string]any{"@id": "sc:address", "@type": "sc:PostalAddress"},
			"uuid":    "sc:identifier", "category": "sc:category", "inLanguage": "sc:inLanguage",
			"maximumAttendeeCapacity": "sc:maximumAttendeeCapacity", "commentsEnabled": map[string]any{"@id": "pt:commentsEnabled", "@type": "sc:Boolean"},
			"joinMode":                      map[string]any{"@id": "mz:joinMode", "@type": "mz:joinModeType"},
			"repliesModerationOption":       map[string]any{"@id": "mz:repliesModerationOption", "@type": "mz:repliesModerationOptionType"},
			"anonymousParticipationEnabled": map[string]any{"@id": "mz:anonymousParticipationEnabled", "@type": "sc:Boolean"},
			"externalParticipationUrl":      "mz:externalParticipationUrl", "participantCount": "mz:participantCount", "isOnline": "mz:isOnline", "draft": "mz:draft",
			"timezone": "mz:timezone", "status": "ical:status", "eventStatus": "sc:eventStatus", "previousStartTime": "sc:previousStartDate",
			"displayEndTime": "event:displayEndTime", "organizers": map[string]any{"@id": "event:organizers", "@type": "@id"},
		},
	}
}

// ActorTerms is the @context of an actor: Terms, and what its keys are said in. did/v1 is where assertionMethod is from.
func ActorTerms() []any {
	terms := Terms()
	terms[len(terms)-1] = actorNames(terms[len(terms)-1].(map[string]any))
	return append([]any{terms[0], "https://w3id.org/security/v1", "https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"}, terms[1:]...)
}

// actorNames adds the names of what only an actor has.
func actorNames(names map[string]any) map[string]any {
	names["alsoKnownAs"] = map[string]any{"@id": "as:alsoKnownAs", "@type": "@id"}
	names["movedTo"] = map[string]any{"@id": "as:movedTo", "@type": "@id"}
	names["upcomingEvents"] = map[string]any{"@id": "event:upcomingEvents", "@type": "@id"}
	for _, name := range []string{"members", "resources", "posts", "todos", "discussions", "events"} {
		names[name] = map[string]any{"@id": "mz:" + name, "@type": "@id"}
	}
	return names
}

// iri parses an address of our own making.
func iri(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%.100q: %w: %w", s, ErrForm, err)
	}
	return u, nil
}

// adder gives a function that adds addresses to a property, and leaves an error in err.
func adder(err *error) func(property interface{ AppendIRI(*url.URL) }, addresses ...string) {
	return func(property interface{ AppendIRI(*url.URL) }, addresses ...string) {
		for _, address := range addresses {
			u, e := iri(address)
			if e != nil {
				*err = e
				continue
			}
			property.AppendIRI(u)
		}
	}
}

// Envelope is an activity about to be sent.
type Envelope struct {
	ID, Type, Actor string
	To, Cc          []string
	Published       time.Time // zero: not said
	ObjectID        string    // the object, when only its address is sent
	Target          string    // where to, of a Move
	Object          map[string]any
}

// kinds are the activities that we send.
func newActivity(kind string) (vocab.Type, error) {
	switch kind {
	case "Create":
		return streams.NewActivityStreamsCreate(), nil
	case "Update":
		return streams.NewActivityStreamsUpdate(), nil
	case "Delete":
		return streams.NewActivityStreamsDelete(), nil
	case "Accept":
		return streams.NewActivityStreamsAccept(), nil
	case "Reject":
		return streams.NewActivityStreamsReject(), nil
	case "Ignore":
		return streams.NewActivityStreamsIgnore(), nil
	case "Announce":
		return streams.NewActivityStreamsAnnounce(), nil
	case "Move":
		return streams.NewActivityStreamsMove(), nil
	}
	return nil, fmt.Errorf("%q is not sent: %w", kind, ErrForm)
}

type activity interface {
	vocab.Type
	SetActivityStreamsActor(vocab.ActivityStreamsActorProperty)
	SetActivityStreamsObject(vocab.ActivityStreamsObjectProperty)
	SetActivityStreamsTo(vocab.ActivityStreamsToProperty)
	SetActivityStreamsCc(vocab.ActivityStreamsCcProperty)
	SetActivityStreamsPublished(vocab.ActivityStreamsPublishedProperty)
}

// Wrap makes the document of an activity.
func Wrap(e Envelope) (map[string]any, error) {
	t, err := newActivity(e.Type)
	if err != nil {
		return nil, err
	}
	a := t.(activity)
	if err := setID(a, e.ID); err != nil {
		return nil, err
	}
	actor, object := streams.NewActivityStreamsActorProperty(), streams.NewActivityStreamsObjectProperty()
	to, cc := streams.NewActivityStreamsToProperty(), streams.NewActivityStreamsCcProperty()
	objectID := e.ObjectID
	if e.Object != nil {
		objectID = Text(e.Object, "id") // the document takes its place below, as it is
	}
	add := adder(&err)
	add(actor, e.Actor)
	add(object, objectID)
	add(to, e.To...)
	add(cc, e.Cc...)
	if err != nil {
		return nil, err
	}
	a.SetActivityStreamsActor(actor)
	a.SetActivityStreamsObject(object)
	a.SetActivityStreamsTo(to)
	a.SetActivityStreamsCc(cc)
	if !e.Published.IsZero() {
		published := streams.NewActivityStreamsPublishedProperty()
		published.Set(e.Published.UTC())
		a.SetActivityStreamsPublished(published)
	}
	doc, err := finish(a)
	if err != nil {
		return nil, err
	}
	if e.Target != "" {
		doc["target"] = e.Target
	}
	if e.Object != nil {
		inner := maps.Clone(e.Object)
		delete(inner, "@context")
		doc["object"] = inner
	}
	return doc, nil
}

func setID(t vocab.Type, id string) error {
	u, err := iri(id)
	if err != nil {
		return err
	}
	p := streams.NewJSONLDIdProperty()
	p.Set(u)
	t.SetJSONLDId(p)
	return nil
}

// finish serialises, and mends what the library does to lists, coordinates and the context.
func finish(t vocab.Type) (doc map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("%w: %v", ErrForm, r)
		}
	}()
	if doc, err = streams.Serialize(t); err != nil {
		return nil, err
	}
	mend(doc)
	doc["@context"] = Terms()
	return doc, nil
}

// Decimal is a number that is written with a decimal point: Mobilizon takes no other for a coordinate.
type Decimal float64

// MarshalJSON implements json.Marshaler.
func (d Decimal) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(float64(d), 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return []byte(s), nil
}

// mend makes lists again of what peers call .map on, and decimals of coordinates.
func mend(doc map[string]any) {
	for k, v := range doc {
		switch k {
		case "to", "cc", "tag", "attachment":
			v = list(v)
			doc[k] = v
		case "latitude", "longitude":
			if f, ok := v.(float64); ok {
				doc[k] = Decimal(f)
			}
		}
		switch v := v.(type) {
		case map[string]any:
			mend(v)
		case []any:
			for _, item := range v {
				if m, ok := item.(map[string]any); ok {
					mend(m)
				}
			}
		}
	}
}
