package federation

import (
	"strings"

	"archipel/federation/vocab"
)

// leanActor is what is read of an actor's document, here and in the rooms: texts that are as long as they are useful, and no
// more of them than somebody can mean. Of thousands of strangers nothing else is kept. size is how long it is, in bytes.
func leanActor(doc map[string]any) (lean map[string]any, size int) {
	t := vocab.ReadThing(doc)
	lean = map[string]any{}
	texts := func(into map[string]any, member string, most int, values ...string) {
		var all []any
		for _, v := range values {
			if v != "" && len(v) <= vocab.MaxAddress && len(all) < most {
				all, size = append(all, v), size+len(v)
			}
		}
		switch len(all) {
		case 0:
		case 1:
			into[member] = all[0]
		default:
			into[member] = all
		}
	}
	texts(lean, "type", 5, vocab.Texts(doc, "type")...)
	for _, member := range []string{"id", "inbox", "island", "upcomingEvents"} {
		texts(lean, member, 1, vocab.Text(doc, member))
	}
	for member, v := range map[string]string{
		"preferredUsername": cutText(t.Username, 200), "name": cutText(t.Name, 500), "summary": cutText(t.Summary, vocab.MaxAddress), "url": t.URL, "outbox": t.Outbox,
	} {
		texts(lean, member, 1, v)
	}
	texts(lean, "alsoKnownAs", maxActorNames, t.AlsoKnownAs...)
	id := vocab.Text(lean, "id")
	for _, e := range vocab.Endpoints(doc) {
		if shared := vocab.Text(e, "sharedInbox"); vocab.Host(shared) == vocab.Host(id) {
			endpoints := map[string]any{}
			texts(endpoints, "sharedInbox", 1, shared)
			lean["endpoints"] = endpoints
			break
		}
	}
	keys := func(list, owner, public string) {
		var all []any
		for _, ref := range vocab.Refs(doc, list) {
			if vocab.Text(ref.Doc, owner) != id || len(all) == maxActorKeys {
				continue
			}
			key := map[string]any{}
			texts(key, "id", 1, ref.ID)
			texts(key, owner, 1, id)
			texts(key, public, 1, vocab.Text(ref.Doc, public))
			all = append(all, key)
		}
		if all != nil {
			lean[list] = all
		}
	}
	keys("publicKey", "owner", "publicKeyPem")
	keys("assertionMethod", "controller", "publicKeyMultibase")
	return lean, size
}

// cutText is a text of at most so many bytes, whole characters all.
func cutText(s string, most int) string { return strings.ToValidUTF8(short(s, most), "") }
