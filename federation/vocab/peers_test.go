package vocab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/federation/fetch"
)

const peersDir = "../testdata/peers/"

// peerFiles are the documents of other networks, written for these tests in the forms in which each of them sends.
func peerFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(peersDir + "*/*.json")
	if err != nil || len(files) < 80 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

func readPeer(t testing.TB, file string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(b))
}

// value is a field of a thing by its path, as "Places.1.URL" or "NameMap.fr".
func value(t testing.TB, v reflect.Value, path string) string {
	t.Helper()
	for _, step := range strings.Split(path, ".") {
		switch v.Kind() {
		case reflect.Struct:
			v = v.FieldByName(step)
		case reflect.Map:
			v = v.MapIndex(reflect.ValueOf(step))
		case reflect.Slice:
			if step == "len" {
				return fmt.Sprint(v.Len())
			}
			i := int(step[0] - '0')
			if i >= v.Len() {
				return "(not there)"
			}
			v = v.Index(i)
		}
		if !v.IsValid() {
			return "(not there)"
		}
	}
	if at, ok := v.Interface().(time.Time); ok {
		return at.Format(time.RFC3339)
	}
	return fmt.Sprint(v.Interface())
}

// TestPeersThings reads what each network says of its people, groups, notes, articles and events. Fields of the object of an
// activity are named as they are; those of the activity itself begin with a dot.
func TestPeersThings(t *testing.T) {
	const ours = "https://annuaire.example/id/0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6a"
	for file, want := range map[string]map[string]string{
		"mastodon/actor": {
			"ID": "https://bruyere.example/users/anne", "Type": "Person", "Username": "anne", "Name": "Anne, des Bruyères", "URL": "https://bruyere.example/@anne", "Inbox": "https://bruyere.example/users/anne/inbox",
			"SharedInbox": "https://bruyere.example/inbox", "Keys.len": "1", "Keys.0.ID": "https://bruyere.example/users/anne#main-key", "Keys.0.Owner": "https://bruyere.example/users/anne", "Discoverable": "true", "Indexable": "false",
			"Approves": "true", "AlsoKnownAs": "[https://bruyere.example/users/anne_avant]", "Icon.0.URL": "https://bruyere.example/media/avatar.png", "Image.0.MediaType": "image/jpeg", "Tags.0.Name": "#semis",
			"Attachments.0.Type": "PropertyValue", "Attachments.0.Name": "Jardin", "Attachments.0.Value": `<a href="https://jardin.example" rel="me">jardin.example</a>`,
		},
		"mastodon/create-note": {
			"Type": "Note", "Summary": "jardinage", "Sensitive": "true", "InReplyTo": "[" + ours + "]", "By": "[https://bruyere.example/users/anne]", "To": "[" + Public + "]", "Published": "2027-06-30T17:05:00Z",
			"URL": "https://bruyere.example/@anne/112000000000000001", "Attachments.0.Name": "Douze plants de tomates", "Attachments.0.MediaType": "image/jpeg", "Tags.len": "2", "Tags.0.Type": "Mention", "Tags.1.Type": "Hashtag", "Tags.1.Name": "#tomates",
			".By": "[https://bruyere.example/users/anne]", ".To": "[" + Public + "]", ".Cc.len": "2",
		},
		"mastodon/update-note": {"Updated": "2027-06-30T17:06:40Z", "Content": "<p>J’apporterai aussi des courges.</p>", "ContentMap.fr": "<p>J’apporterai aussi des courges.</p>"},
		"mastodon/delete-note": {"Type": "Tombstone", "ID": "https://bruyere.example/users/anne/statuses/112000000000000001"},
		"mastodon/flag":        {".Content": "Cet événement n’a pas lieu à cette adresse.", ".By": "[https://bruyere.example/actor]"},
		"mastodon/move":        {".Target": "https://mousse.example/users/anne"},
		"gotosocial/actor":     {"Keys.0.ID": "https://mousse.example/users/li/main-key", "SharedInbox": "https://mousse.example/sharedInbox", "Published": "2025-01-05T10:00:00+01:00", "Icon.0.Name": "Une touffe de mousse", "Approves": "false"},
		"gotosocial/create-note": {
			"To": "[" + Public + "]", "Tags.len": "1", "Tags.0.Type": "Mention", "Summary": "", "Sensitive": "false", "Published": "2027-06-30T19:11:22+02:00", "Content": "<p>Y a-t-il un accès pour fauteuils ?</p>", "Attachments.len": "0",
			".To": "[" + Public + "]",
		},
		"gotosocial/announce": {".To": "[https://mousse.example/users/li/followers]", ".Cc": "[https://annuaire.example/ap/relay " + Public + "]"},
		"gotosocial/move":     {".Target": "https://bruyere.example/users/li"},
		"mobilizon/group": {
			"Type": "Group", "Username": "les_batisseuses", "SharedInbox": "https://agora.example/inbox", "Followers": "https://agora.example/@les_batisseuses/followers", "Places.0.Street": "4 chemin du Four",
			"Places.0.PostalCode": "42100", "Places.0.Region": "", "Places.0.HasPoint": "false", "Icon.0.URL": "https://agora.example/media/avatar.png?name=a.png", "Icon.0.MediaType": "",
		},
		"mobilizon/create-event": {
			"Type": "Event", "Name": "Chantier terre-paille", "Content": "<p>Un mur en <b>deux</b> jours.</p>", "Summary": "Un mur en deux jours.", "MediaType": "text/html", "By": "[https://agora.example/@les_batisseuses]",
			"Start": "2027-07-03T09:00:00+02:00", "End": "2027-07-04T17:00:00+02:00", "Timezone": "Europe/Paris", "Language": "fr", "Categories": "[CRAFTS]", "JoinMode": "restricted", "Participation": "", "Capacity": "12",
			"Status": "[CONFIRMED]", "Online": "false", "Published": "2027-05-01T08:00:00Z", "Updated": "2027-05-02T09:30:00Z", "Places.len": "1", "Places.0.Type": "Place", "Places.0.ID": "https://agora.example/address/78",
			"Places.0.Name": "La grange", "Places.0.Street": "12 rue Haute", "Places.0.PostalCode": "43290", "Places.0.Locality": "Montregard", "Places.0.Region": "Auvergne-Rhône-Alpes", "Places.0.Country": "France",
			"Places.0.HasPoint": "true", "Places.0.Latitude": "45", "Places.0.Longitude": "4.25", "Attachments.len": "3", "Attachments.0.Type": "Link", "Attachments.0.URL": "https://paille.example/", "Attachments.1.Value": "partially",
			"Attachments.2.Name": "Banner", "Attachments.2.URL": "https://agora.example/media/mur.jpg?name=mur.jpg", "Tags.0.Name": "#paille", "InReplyTo.len": "0", ".By": "[https://agora.example/@les_batisseuses]",
		},
		"mobilizon/update-event":     {"Status": "[CANCELLED]", "JoinMode": "external", "Participation": "https://paille.example/inscription", "Online": "true", "Places.len": "0"},
		"mobilizon/delete-event":     {"Type": "Tombstone", "FormerType": "Event", "Deleted": "2027-06-03T09:30:00Z"},
		"mobilizon/create-note":      {"InReplyTo": "[" + ours + "]", "By": "[https://agora.example/@lise]", "Content": "<p>Une place en covoiturage ?</p>"},
		"gancio/actor":               {"Type": "Application", "Username": "fete", "SharedInbox": "", "Attachments.0.Name": "Website", "Keys.0.Owner": "https://fete.example/federation/u/fete"},
		"gancio/create-event":        {"Name": "Fête du marché", "Start": "2027-07-14T17:30:00+02:00", "End": "2027-07-14T23:30:00+02:00", "Places.len": "1", "Places.0.Name": "Place du Marché", "Tags.0.Name": "#fête", "Attachments.0.URL": "https://fete.example/media/affiche.jpg", "URL": "https://fete.example/event/fete-du-marche", "Summary": "Place du Marché, mercredi 14 juillet"},
		"gancio/update-event-postal": {"Places.0.Street": "15 rue de la Paix", "Places.0.PostalCode": "42700", "Places.0.Locality": "Firminy", "Places.0.Region": "Loire", "Places.0.Country": "France", "Places.0.Latitude": "45.389", "Places.0.Longitude": "4.287", "Updated": "2027-06-02T10:00:00Z"},
		"gancio/update-event-text":   {"Places.0.Address": "15 rue de la Paix, Firminy", "Places.0.Name": "Salle des fêtes", "Places.0.HasPoint": "false"},
		"gancio/update-event-online": {"Places.len": "3", "Places.0.Address": "15 rue de la Paix, Firminy", "Places.1.Type": "VirtualLocation", "Places.1.URL": "https://visio.example/fete", "Places.2.Name": "Et dans la rue"},
		"lemmy/actor":                {"Name": "Jo", "Username": "jo", "SharedInbox": "https://lien.example/inbox", "Updated": "2025-01-17T01:50:34Z"},
		"lemmy/group":                {"Type": "Group", "Name": "Le compost", "Outbox": "https://lien.example/c/compost/outbox", "Icon.0.URL": "https://lien.example/pictrs/image/vers.webp"},
		"lemmy/create-note":          {"Audience": "[https://lien.example/c/compost]", "MediaType": "text/html", "InReplyTo": "[" + ours + "]", "Tags.0.URL": "https://annuaire.example/ap/relay", ".Audience": "[https://lien.example/c/compost]"},
		"lemmy/announce-create-page": {"Type": "Create", "By": "[https://lien.example/u/jo]", "Audience": "[https://lien.example/c/compost]", ".By": "[https://lien.example/c/compost]"},
		"lemmy/flag":                 {".Summary": "Publicité", ".Content": ""},
		"wordpress/actor":            {"Type": "Group", "Username": "blog", "Inbox": "https://blog.example/wp-json/activitypub/1.0/actors/0/inbox", "Attachments.len": "2", "Attachments.1.URL": "https://blog.example", "Indexable": "true", "SharedInbox": "https://blog.example/wp-json/activitypub/1.0/inbox"},
		"wordpress/create-article":   {"Type": "Article", "Name": "Rosiers à planter", "NameMap.fr": "Rosiers à planter", "SummaryMap.fr": "On plante.", "ContentMap.fr": "<p>En novembre, on plante.</p>", "Audience": "[https://blog.example/@blog]", "Attachments.0.Type": "Image", "Updated": "2026-10-06T08:20:33Z"},
		"wordpress/announce-update":  {"Type": "Update", ".By": "[https://blog.example/@blog]", ".Audience": "[https://blog.example/@blog]"},
		"wordpress/create-note":      {"By": "[https://blog.example/@blog]", "InReplyTo": "[" + ours + "]", "URL": "https://blog.example/rosiers-a-planter/#comment-31"},
		"wordpress/create-event": {
			"Type": "Event", "To": "[" + Public + "]", "Cc.len": "1", "Content": "<p>Apportez un sécateur.</p>", "Start": "2026-11-14T14:00:00+01:00", "End": "2026-11-14T16:00:00+01:00", "Categories": "[WORKSHOPS]", "Status": "[TENTATIVE]",
			"Places.len": "2", "Places.0.Street": "1 allée des Roses", "Places.1.URL": "https://visio.example/taille", "URL": "https://blog.example/event/taille/", "JoinMode": "external", "Participation": "https://blog.example/event/taille/#inscription",
			"Online": "true", "Capacity": "20",
		},
		"wordpress/move":         {".Target": "https://roses.example/@blog"},
		"wordpress/delete":       {"FormerType": "Article", "Deleted": "2026-12-01T00:00:00Z"},
		"friendica/actor":        {"Type": "Organization", "Inbox": "https://chorale.example/inbox/ines", "Name": "La Chorale", "Discoverable": "true"},
		"friendica/create-event": {"Name": "Concert", "Start": "2027-09-04T20:00:00Z", "End": "2027-09-04T22:00:00Z", "Places.0.Name": "Église Saint-Paul", "Places.0.HasPoint": "true", "Places.0.Latitude": "45.767", "URL": "https://chorale.example/display/e1"},
		"friendica/create-note":  {"Content": "On peut chanter à la fin&nbsp;?", "Summary": "", "ContentMap.fr": "On peut chanter à la fin&nbsp;?", "Published": "2027-06-30T12:00:00Z"},
	} {
		doc := readPeer(t, peersDir+file+".json")
		whole := ReadThing(doc)
		inner := whole
		if len(Refs(doc, "object")) > 0 {
			a, err := Read(doc)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			inner = ReadThing(a.Object().Doc)
		}
		for path, want := range want {
			thing := inner
			field, ofActivity := strings.CutPrefix(path, ".")
			if ofActivity {
				thing = whole
			}
			if got := value(t, reflect.ValueOf(thing), field); got != want {
				t.Errorf("%s: %s is %q, want %q", file, path, got, want)
			}
		}
	}
}

// unread are the members that we have no use for, and need not understand.
var unread = strings.Fields(`@context signature following featured featuredTags atomUri inReplyToAtomUri conversation context blurhash replies interactionPolicy
	uuid members resources posts todos discussions events openness repliesModerationOption propertyID contacts source matrixUserId language moderators
	webfinger rel dcterms diaspora:guid vcard:hasAddress generator instrument origin actor.type attributedTo.type address.type url.type url.mediaType url.href lemmy`)

// leaves are all texts and coordinates of a document, with their names.
func leaves(v any, name string, found func(name, text string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			if !slices.Contains(unread, k) && !slices.Contains(unread, name+"."+k) {
				leaves(member, k, found)
			}
		}
	case []any:
		for _, item := range v {
			leaves(item, name, found)
		}
	case string:
		if v != "" {
			found(name, v)
		}
	case float64:
		if name == "latitude" || name == "longitude" || name == "maximumAttendeeCapacity" {
			found(name, fmt.Sprint(v))
		}
	}
}

// understood collects everything that the readers make of a document and of what is inside.
func understood(t *testing.T, file string, doc map[string]any, all map[string]bool) {
	add := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var plain any
		if err := json.Unmarshal(b, &plain); err != nil {
			t.Fatal(err)
		}
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				for _, m := range v {
					walk(m)
				}
			case []any:
				for _, m := range v {
					walk(m)
				}
			default:
				all[canonical(fmt.Sprint(v))] = true
			}
		}
		walk(plain)
	}
	add(ReadThing(doc))
	if _, ok := doc["object"]; !ok {
		return
	}
	a, err := Read(doc)
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	peeked, err := Peek(doc)
	if err != nil || peeked.ID != a.ID || peeked.Actor != a.Actor || peeked.Type != a.Type || len(peeked.Objects) != len(a.Objects) {
		t.Errorf("%s: at a glance it is %+v, %v", file, peeked, err)
	}
	add([]string{a.ID, a.Type, a.Actor})
	for _, o := range a.Objects {
		add([]string{o.ID, o.Type})
		if o.Doc != nil {
			understood(t, file, o.Doc, all)
		}
	}
}

// canonical is one form for one moment, and for the public collection.
func canonical(text string) string {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC().Format(time.RFC3339Nano)
	}
	if text == "as:Public" || text == "Public" {
		return Public
	}
	return text
}

// TestPeersLoseNothing reads every document, and looks whether all that it says was understood: a member that is neither read
// nor known to be of no use is a fault.
func TestPeersLoseNothing(t *testing.T) {
	kinds := map[string]bool{}
	for _, file := range peerFiles(t) {
		doc := readPeer(t, file)
		all := map[string]bool{}
		understood(t, file, doc, all)
		leaves(doc, "", func(name, text string) {
			if _, err := time.Parse("2006-01-02T15:04:05", text); err == nil || len(text) == 16 && strings.HasSuffix(name, "Time") {
				return // without an offset: TestPeersThings looks at it
			}
			if !all[canonical(text)] {
				t.Errorf("%s: %s %q is lost", file, name, text)
			}
		})
		kinds[filepath.Base(filepath.Dir(file))+" "+Text(doc, "type")] = true
	}
	for _, peer := range []string{"mastodon", "gotosocial", "mobilizon", "gancio", "lemmy", "wordpress", "friendica"} {
		for _, kind := range []string{"Follow", "Undo", "Announce", "Accept", "Delete"} {
			if !kinds[peer+" "+kind] {
				t.Errorf("no %s of %s", kind, peer)
			}
		}
	}
}

// FuzzThing reads what strangers may send: nothing panics, and what is public once is public in the form that is kept.
func FuzzThing(f *testing.F) {
	for _, file := range peerFiles(f) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":["Event",1],"to":[["Public"],"Public",null],"cc":"as:Public","nameMap":{"fr":"x","":"y","en":1},"startTime":"2027-03-28T02:30","endTime":"2027-10-31T02:30:00","timezone":"Europe/Paris","location":[{"latitude":91,"longitude":-0,"url":[{"href":1},"y"]},"z",[1]],"maximumAttendeeCapacity":1e308,"endpoints":[{"sharedInbox":1}],"publicKey":[{"id":"k"},"l"]}`))
	f.Add([]byte(`{"timezone":"right/UTC","startTime":"0000-01-01T00:00","endTime":"9999-12-31T23:59:60+24:00","published":"2027-02-29T00:00:00Z","updated":"2027-01-01T00:00:00,5-00:00"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := fetch.Object(b)
		if err != nil {
			return
		}
		once := ReadThing(doc)
		if again := ReadThing(normalise(doc).(map[string]any)); !reflect.DeepEqual(once, again) {
			t.Errorf("read twice it is %+v, then %+v", once, again)
		}
		for _, s := range once.Places {
			if s.HasPoint && (s.Latitude < -90 || s.Latitude > 90 || s.Longitude < -180 || s.Longitude > 180) {
				t.Errorf("%+v is nowhere", s)
			}
		}
		a, err := Read(doc)
		if err != nil {
			return
		}
		for _, o := range a.Objects {
			ReadThing(o.Doc)
		}
	})
}
