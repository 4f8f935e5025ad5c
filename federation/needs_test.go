package federation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"archipel/federation/vocab"
)

// at is what stands at a path of a document, as "object/location/latitude" or "attachment/0/name"; nil when nothing does.
func at(doc any, path string) any {
	for _, step := range strings.Split(path, "/") {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return nil
			}
			doc = v[i]
		default:
			return nil
		}
	}
	return doc
}

// A check looks at a value, and says what is wrong with it, or "".
type check func(v any) string

func given(v any) string {
	if v == nil || v == "" {
		return "is missing"
	}
	return ""
}

func is(want ...any) check {
	return func(v any) string {
		if slices.ContainsFunc(want, func(w any) bool { return fmt.Sprint(w) == fmt.Sprint(v) }) {
			return ""
		}
		return fmt.Sprintf("is %v, want one of %v", v, want)
	}
}

// decimal: a number that is written with a decimal point.
func decimal(v any) string {
	n, ok := v.(json.Number)
	if !ok || !strings.Contains(string(n), ".") {
		return fmt.Sprintf("is %v, want a number with a decimal point", v)
	}
	return ""
}

func list(v any) string {
	if _, ok := v.([]any); !ok {
		return fmt.Sprintf("is %v, want a list", v)
	}
	return ""
}

func empty(v any) string {
	if l, ok := v.([]any); !ok || len(l) != 0 {
		return fmt.Sprintf("is %v, want an empty list", v)
	}
	return ""
}

func single(v any) string {
	if s, ok := v.(string); !ok || s == "" {
		return fmt.Sprintf("is %v, want one text", v)
	}
	return ""
}

func has(words ...string) check {
	return func(v any) string {
		text := fmt.Sprint(v)
		for _, w := range words {
			if !strings.Contains(text, w) {
				return fmt.Sprintf("has no %q: %.300s", w, text)
			}
		}
		return ""
	}
}

// including: a list that has an item with that member.
func including(member string, want any) check {
	return func(v any) string {
		items, _ := v.([]any)
		if slices.ContainsFunc(items, func(item any) bool { return at(item, member) == want }) {
			return ""
		}
		return fmt.Sprintf("has no item whose %s is %v: %v", member, want, v)
	}
}

func line(v any) string {
	s, ok := v.(string)
	if !ok || strings.ContainsAny(s, "\n<>") || len(s) > 500 {
		return fmt.Sprintf("is %q, want one line of plain text", v)
	}
	return ""
}

// need is what a network must find in something that is sent, or it does not show it, or refuses it.
type need struct {
	peer, need string
	files      string // of testdata, separated by spaces
	path       string // "" is the whole document; several separated by spaces
	check      check
	otherwise  string // what happens where it is not met
}

var events = "event organisation-event"

var activities = "create-event update-cancelled delete create-initiative organisation-create organisation-update organisation-announce organisation-move organisation-delete"

// needs are what is known of each network, from its source or by trying it.
var needs = []need{
	{"every network", "one type, as a text", "actor organisation event article tombstone outbox followers empty accept reject ignore " + activities, "type", single, "GoToSocial's library panics, and others take the first"},
	{"every network", "the vocabulary comes first in the context", "actor organisation event article " + activities, "@context/0", is(vocab.Context), "it is not read as ActivityStreams"},
	{"every network", "public posts", "event article create-event update-cancelled delete organisation-create organisation-announce", "to", has(vocab.Public), "FEP-8a8e lists no event that is not public"},
	{"every network", "followers are addressed", "create-event delete", "cc", has("HOST/ap/relay/followers"), "it is shown to nobody"},

	{"Mastodon", "a signature over the method, the target, host, date and digest", "headers", "POST/Signature", has("(request-target) host date digest", "hs2019"), "401"},
	{"Mastodon", "a signed date", "headers", "POST/Date GET/Date", is("*"), "401"},
	{"Mastodon", "a digest", "headers", "POST/Digest", has("SHA-256="), "401"},
	{"Mastodon", "the media type", "headers", "POST/Content-Type", is("application/activity+json"), "the inbox does not read it"},
	{"Mastodon", "an actor of a type that can be followed", "actor organisation", "type", is("Application", "Group", "Organization", "Person", "Service"), "the account is not found"},
	{"Mastodon", "who an actor is and where it is reached", "actor organisation", "preferredUsername inbox outbox followers url name publicKey/publicKeyPem endpoints/sharedInbox", given, "the account is not found"},
	{"Mastodon", "a key that says whose it is", "actor", "publicKey/owner", is("HOST/ap/relay"), "401"},
	{"Mastodon", "WebFinger leads to the actor", "webfinger", "links", including("type", "application/activity+json"), "the account is not found"},
	{"Mastodon", "WebFinger says the same name", "webfinger organisation-webfinger", "subject", has("acct:", "@NAME"), "the account is not found"},
	{"Mastodon", "facts as PropertyValue", "actor organisation", "attachment", including("type", "PropertyValue"), "the profile is bare"},
	{"Mastodon", "a type that it turns into a post", "event article organisation-event", "type", is("Event", "Article", "Page"), "the post is dropped"},
	{"Mastodon", "title and link, since it shows no content of an Event", "event article organisation-event", "name url published attributedTo", given, "an empty post"},
	{"Mastodon", "when and where on one line, which it shows under the title", events, "summary", line, "HTML is shown as text"},
	{"Mastodon", "when and where on that line", "event", "summary", has("1er juillet 2027, 18:00", "rue des Tilleuls"), "nobody sees when it is"},
	{"Mastodon", "the author of the post says it", "create-event", "object/attributedTo", is("HOST/ap/relay"), "the post is dropped"},
	{"Mastodon", "the deletion of an actor names it by its address", "organisation-delete", "object", is("HOST/ap/actors/ORG"), "the account stays"},
	{"Mastodon", "a deleted post is a Tombstone with its id", "delete", "object/type", is("Tombstone"), "the post stays"},
	{"Mastodon", "a Move says from where and to where", "organisation-move", "object target", given, "nobody moves along"},
	{"Mastodon", "the Accept repeats the Follow", "accept", "object/id object/type object/actor object/object", given, "the Follow stays pending"},
	{"Mastodon", "consent to be found", "organisation", "discoverable indexable", is(true), "it is not found by search"},

	{"GoToSocial", "requests that fetch are signed", "headers", "GET/Signature", has("(request-target) host date", "hs2019", "HOST/ap/relay#main-key"), "401"},
	{"GoToSocial", "the key is in a document that is served unsigned", "actor", "publicKey/id", is("HOST/ap/relay#main-key"), "no signature of ours is taken"},
	{"GoToSocial", "the title, the time, the place and the link are in the text, since it shows no name", "event", "content", has("<strong>Troc de plantes &lt;3</strong>", "1er juillet 2027, 18:00", "rue des Tilleuls", `<a href="HOST/e/troc-de-plantes`), "a post without a title"},
	{"GoToSocial", "a short summary, which it takes for a warning", events, "summary", line, "everything is behind a long warning"},
	{"GoToSocial", "the language of the text", "event", "contentMap/fr contentMap/en", given, "the wrong language"},

	{"Mobilizon", "a Group, the one type that its users can follow", "organisation", "type", is("Group"), "it cannot be followed"},
	{"Mobilizon", "coordinates as decimals", events + " organisation", "location/latitude location/longitude", decimal, "the event is refused"},
	{"Mobilizon", "its names", events, "uuid actor attributedTo name content mediaType published updated startTime endTime timezone inLanguage category status ical:status joinMode repliesModerationOption", given, "the event is refused"},
	{"Mobilizon", "its switches", events, "draft isOnline anonymousParticipationEnabled", is(false), "the event is not shown"},
	{"Mobilizon", "a category that it knows", events, "category", is("MEETING"), "the event is refused"},
	{"Mobilizon", "a way of joining that it knows", events, "joinMode", is("free", "restricted", "invite", "external", "none"), "the event is refused"},
	{"Mobilizon", "where to register", "event", "externalParticipationUrl", has("https://"), "nobody can register"},
	{"Mobilizon", "who may come says how many come", "organisation-event", "joinMode", is("free"), "nobody can join"},
	{"Mobilizon", "a Place with a PostalAddress", events, "location/address/type", is("PostalAddress"), "the event has no place"},
	{"Mobilizon", "the parts of the address", "event", "location/id location/name location/address/streetAddress location/address/postalCode location/address/addressLocality location/address/addressRegion location/address/addressCountry", given, "the event has no place"},
	{"Mobilizon", "lists that stay lists", events + " article", "to cc tag attachment", list, "it crashes on Enum"},
	{"Mobilizon", "the picture by its name", "event", "attachment", including("name", "Banner"), "the event has no picture"},
	{"every network", "a picture that was uploaded here by its whole address", "organisation-event", "attachment", including("url", "HOST/media/0123456789abcdef0123456789abcdef-1200.png"), "the event has no picture"},
	{"Mobilizon", "the web site by its name", "event", "attachment", including("name", "Website"), "the event has no link"},
	{"Mobilizon", "the collections of a group", "organisation actor", "members resources posts todos discussions events following", given, "its refresh stops"},
	{"Mobilizon", "the collections are there, and empty", "empty organisation-empty", "orderedItems", empty, "its refresh stops"},
	{"Mobilizon", "an outbox of Creates", "outbox", "orderedItems", including("type", "Create"), "it shows no event"},
	{"Mobilizon", "events of others are announced by their address", "organisation-announce", "object", has("HOST/id/"), "its relay shows no event"},
	{"Mobilizon", "a cancelled event stays, and says so in its words", "update-cancelled", "object/status object/ical:status", is("CANCELLED"), "people go there"},

	{"Gancio", "what an event must have", events, "id name startTime", given, "the event is dropped"},
	{"Gancio", "a place", events, "location/name", given, "the event is dropped"},
	{"Gancio", "lists that stay lists", events, "to cc tag attachment", list, "it crashes on .map"},
	{"Gancio", "tags with names", "event", "tag/0/name", has("#"), "it crashes"},
	{"Gancio", "the one it follows says it", "create-event organisation-create", "actor", has("HOST/ap/"), "events of others are dropped"},
	{"Gancio", "an outbox that can be walked", "outbox-collection", "first totalItems", given, "nothing is brought in"},
	{"Gancio", "its instance is found", "nodeinfo-links", "links", including("rel", "https://www.w3.org/ns/activitystreams#Application"), "it cannot be followed"},

	{"Friendica", "an event in full", events, "name content startTime endTime location/name", given, "the event is not in the calendar"},
	{"Friendica", "host-meta", "host-meta", "", has(`rel="lrdd"`, "HOST/.well-known/webfinger?resource={uri}"), "old versions find nobody"},
	{"Lemmy", "a Group with an outbox and a key", "organisation", "type", is("Group"), "it cannot be followed"},
	{"WordPress", "an audience of everybody and a page", "article", "url", given, "the post is dropped"},

	{"FEP-8a8e", "what an event must have", events, "name startTime endTime organizers", given, "it is no event"},
	{"FEP-8a8e", "the state", "event", "eventStatus", is("EventScheduled"), "the state is not known"},
	{"FEP-8a8e", "a cancelled event is an Update that says so", "update-cancelled", "object/eventStatus", is("EventCancelled"), "people go there"},
	{"FEP-8a8e", "whether the end is to be shown", events, "displayEndTime timezone", given, "a wrong end is shown"},
	{"FEP-8a8e", "an answer to a Join that is of no use", "ignore", "type", is("Ignore"), "it waits for ever"},
	{"FEP-8a8e", "the next events", "organisation", "upcomingEvents", has("HOST/ap/actors/ORG/upcoming"), "they are not found"},
	{"FEP-8b32", "a proof", activities, "proof/cryptosuite", is("eddsa-jcs-2022"), "what others pass on is not taken"},
	{"FEP-521a", "the key of the proofs", "actor organisation organisation-tombstone", "assertionMethod/0/publicKeyMultibase assertionMethod/0/controller", given, "no proof can be checked"},
	{"FEP-844e", "what is understood", "actor organisation", "implements", list, "RFC 9421 is not tried"},
	{"FEP-8fcf", "who follows, on what goes to followers", "headers", "POST to followers/Collection-Synchronization", has(`collectionId="HOST/ap/relay/followers"`, "HOST/ap/relay/followers/sync"), "followers who left stay"},
	{"FEP-f1d5", "NodeInfo 2.1", "nodeinfo", "version", is("2.1"), "it is not listed"},
	{"FEP-d556", "the instance by its address", "webfinger", "links", including("rel", "https://www.w3.org/ns/activitystreams#Application"), "the instance actor is not found"},
}

// TestPeersNeeds looks in the files of what is sent (TestGolden holds it to them) for what each network needs.
func TestPeersNeeds(t *testing.T) {
	for _, n := range needs {
		for _, name := range strings.Fields(n.files) {
			var doc any
			b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			if err == nil {
				d := json.NewDecoder(bytes.NewReader(b))
				d.UseNumber()
				err = d.Decode(&doc)
			} else if b, err = os.ReadFile(filepath.Join("testdata", name+".xml")); err == nil {
				doc = string(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			paths := strings.Split(n.path, " ")
			if strings.HasPrefix(n.path, "POST to") {
				paths = []string{n.path}
			}
			for _, path := range paths {
				v := doc
				if path != "" {
					v = at(doc, path)
				}
				if wrong := n.check(v); wrong != "" {
					t.Errorf("%s needs %s, or: %s. In %s, %s %s", n.peer, n.need, n.otherwise, name, path, wrong)
				}
			}
		}
	}
}

// TestNeedsAreNoticed takes the needs away from a document one by one: a need that nothing can fail looks at nothing.
func TestNeedsAreNoticed(t *testing.T) {
	for _, n := range needs {
		if n.check(nil) == "" {
			t.Errorf("%s, %s: met by nothing at all", n.peer, n.need)
		}
	}
}
