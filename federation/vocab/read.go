// Package vocab reads and writes ActivityStreams documents with the streams library, whose traps it keeps to itself:
// types that are lists, panics on foreign input, lists of one that become scalars, terms that lose their context.
package vocab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"code.superseriousbusiness.org/activity/streams"
	"code.superseriousbusiness.org/activity/streams/vocab"
	"golang.org/x/net/idna"
)

// Addresses of the vocabulary.
const (
	Context = "https://www.w3.org/ns/activitystreams"
	Public  = Context + "#Public"
)

// MaxAddress is how long the address of an activity, an object or an actor may be, in bytes: longer ones are nobody's.
const MaxAddress = 2000

// ErrForm is a document that is no activity that we can understand.
var ErrForm = errors.New("not a well-formed activity")

// Ref is an object that an activity points at: an address, and the document when it came along. What came along has only
// its address's word for it when the address belongs to somebody else.
type Ref struct {
	ID   string
	Type string         // "" when only the address came
	Doc  map[string]any // nil when only the address came
}

// Activity is what matters of an activity that came in.
type Activity struct {
	ID, Type, Actor string
	Objects         []Ref // at least one
	Doc             map[string]any
}

// Object is the first object.
func (a *Activity) Object() Ref { return a.Objects[0] }

// Peek reads as much of an activity as tells from whom it is, without the library: it must have an id, a type, one actor and
// an object, and no id or actor longer than [MaxAddress]. [Read] has the last word on what it means.
func Peek(doc map[string]any) (*Activity, error) {
	a := &Activity{ID: text(doc["id"]), Doc: doc}
	for _, v := range list(doc["type"]) {
		if a.Type = text(v); a.Type != "" {
			break
		}
	}
	if a.ID == "" || a.Type == "" {
		return nil, fmt.Errorf("no id or no type: %w", ErrForm)
	}
	if actors := list(doc["actor"]); len(actors) == 1 {
		a.Actor = one(actors[0]).ID
	}
	for _, v := range list(doc["object"]) {
		if r := one(v); r.ID != "" || r.Doc != nil {
			a.Objects = append(a.Objects, r)
		}
	}
	if a.Actor == "" || len(a.Objects) == 0 {
		return nil, fmt.Errorf("not one actor, or no object: %w", ErrForm)
	}
	if len(a.ID) > MaxAddress || len(a.Actor) > MaxAddress {
		return nil, fmt.Errorf("an id or an actor of more than %d bytes: %w", MaxAddress, ErrForm)
	}
	return a, nil
}

// Normal is [Peek] of the document in the form that [Read] gives it.
func Normal(doc map[string]any) (*Activity, error) {
	doc = normalise(doc).(map[string]any)
	if _, ok := doc["@context"]; !ok {
		doc["@context"] = Context
	}
	return Peek(doc)
}

// Read understands an activity: it must have an id, one actor, and an object. The types of the ActivityStreams vocabulary
// are checked by the library; others are taken as they are named.
func Read(doc map[string]any) (*Activity, error) {
	doc = normalise(doc).(map[string]any)
	if _, ok := doc["@context"]; !ok {
		doc["@context"] = Context
	}
	a := &Activity{ID: text(doc["id"]), Type: text(doc["type"]), Doc: doc}
	if a.ID == "" || a.Type == "" {
		return nil, fmt.Errorf("no id or no type: %w", ErrForm)
	}
	t, err := toType(bones(doc, true))
	switch {
	case errors.Is(err, streams.ErrUnhandledType):
		a.Actor = one(doc["actor"]).ID
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	default:
		if a.Actor, err = actorOf(t); err != nil {
			return nil, err
		}
		// The library escapes what an address should have escaped; servers know one another by what they say, as [Peek] has it.
		for _, said := range Refs(doc, "actor") {
			if u, err := url.Parse(said.ID); err == nil && u.String() == a.Actor {
				a.Actor = said.ID
			}
		}
	}
	for _, v := range list(doc["object"]) {
		if r := one(v); r.ID != "" || r.Doc != nil {
			a.Objects = append(a.Objects, r)
		}
	}
	if a.Actor == "" || len(a.Objects) == 0 {
		return nil, fmt.Errorf("no actor or no object: %w", ErrForm)
	}
	return a, nil
}

// bones is what [Read] asks the library about: what an activity is, and whose. For each value of everything else it would take
// more than a thousand bytes, hundreds of megabytes for one message.
func bones(doc map[string]any, activity bool) map[string]any {
	out := map[string]any{}
	for k, v := range doc {
		switch name := k[strings.LastIndexByte(k, ':')+1:]; { // a context may put a word before each
		case name == "@context", name == "@id", name == "@type", name == "id", name == "type":
			out[k] = v
		case name == "actor" && activity:
			all := list(v)
			for i, one := range all {
				if m, ok := one.(map[string]any); ok {
					all[i] = bones(m, false)
				}
			}
			out[k] = all
		}
	}
	return out
}

// toType lets the library understand a document. It panics on some of what strangers send.
func toType(doc map[string]any) (t vocab.Type, err error) {
	defer func() {
		if r := recover(); r != nil {
			t, err = nil, fmt.Errorf("%w: %v", ErrForm, r)
		}
	}()
	return streams.ToType(context.Background(), doc)
}

// actorOf is the one actor of an activity.
func actorOf(t vocab.Type) (id string, err error) {
	defer func() {
		if r := recover(); r != nil {
			id, err = "", fmt.Errorf("%w: %v", ErrForm, r)
		}
	}()
	has, ok := t.(interface {
		GetActivityStreamsActor() vocab.ActivityStreamsActorProperty
	})
	if !ok {
		return "", fmt.Errorf("%s is no activity: %w", t.GetTypeName(), ErrForm)
	}
	actors := has.GetActivityStreamsActor()
	if actors == nil || actors.Len() != 1 {
		return "", fmt.Errorf("not one actor: %w", ErrForm)
	}
	it := actors.At(0)
	if it.IsIRI() {
		return it.GetIRI().String(), nil
	}
	if t := it.GetType(); t != nil && t.GetJSONLDId() != nil {
		return t.GetJSONLDId().Get().String(), nil
	}
	return "", fmt.Errorf("the actor has no id: %w", ErrForm)
}

// normalise copies a document so that each type is one word, the first of a list, and the short forms of the public
// collection are its address.
func normalise(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, member := range v {
			switch k {
			case "type":
				if l := list(member); len(l) > 0 {
					if s := text(l[0]); s != "" {
						out[k] = s
					}
				}
			case "to", "cc", "bto", "bcc", "audience":
				all := list(normalise(member))
				for i, m := range all {
					if m == "Public" || m == "as:Public" {
						all[i] = Public
					}
				}
				out[k] = all
			default:
				out[k] = normalise(member)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = normalise(item)
		}
		return out
	}
	return v
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// list is what a property holds: nothing, one thing, or several.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return slices.Clone(v)
	}
	return []any{v}
}

// one is the thing that a value points at.
func one(v any) Ref {
	switch v := v.(type) {
	case string:
		return Ref{ID: v}
	case map[string]any:
		return Ref{ID: text(v["id"]), Type: text(v["type"]), Doc: v}
	}
	return Ref{}
}

// Refs reads what a property of a document points at.
func Refs(doc map[string]any, property string) []Ref {
	var refs []Ref
	for _, v := range list(doc[property]) {
		if r := one(v); r.ID != "" {
			refs = append(refs, r)
		}
	}
	return refs
}

// Texts reads the texts of a property.
func Texts(doc map[string]any, property string) []string {
	var all []string
	for _, v := range list(doc[property]) {
		if s := text(v); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// Text reads the one text of a property, or "".
func Text(doc map[string]any, property string) string {
	if all := Texts(doc, property); len(all) == 1 {
		return all[0]
	}
	return ""
}

// Host is the host of an address, lower case, in ASCII (IDNA), with the port unless it is the scheme's own: what domains
// are compared by. It is empty for what is not an http(s) address with a host and without a user.
func Host(address string) string {
	if host, ok := plainHost(address); ok {
		return host
	}
	return anyHost(address)
}

// plainHost is the host of an address that needs no parser: lower case, ASCII, nothing escaped. Nearly all are so, and each
// activity has several.
func plainHost(address string) (string, bool) {
	rest, ok := strings.CutPrefix(address, "https://")
	own := ":443"
	if !ok {
		if rest, ok = strings.CutPrefix(address, "http://"); !ok {
			return "", false
		}
		own = ":80"
	}
	end := strings.IndexByte(rest, '/')
	if end < 1 || strings.Contains(rest[:end], "xn--") {
		return "", false
	}
	all, path := rest[:end], rest[end:]
	host, port, ported := strings.Cut(all, ":")
	if ported && (port == "" || port[0] == '0' || len(port) > 5 || len(port) == 5 && port > "65535" || strings.Trim(port, "0123456789") != "" || ":"+port == own) {
		return "", false
	}
	before := byte('.')
	for i := range len(host) {
		c := host[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case (c == '.' || c == '-') && before != '.' && before != '-': // what begins or ends oddly is for the parser
		default:
			return "", false
		}
		before = c
	}
	if host == "" || before == '.' || before == '-' || strings.Contains(host, "-.") || len(host) > 60 {
		return "", false
	}
	for i := range len(path) {
		c := path[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '-' || c == '_' || c == '.' || c == '@' || c == '#') {
			return "", false
		}
	}
	return all, true
}

func anyHost(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	if len(host) > utf8.UTFMax*maxHost { // IDNA takes the square of the time, and whoever sends an address says how long
		return ""
	}
	for _, root := range []string{".", "\u3002", "\uff0e", "\uff61"} { // the dots of IDNA: a name with and without one is the same
		if bare, ok := strings.CutSuffix(host, root); ok {
			host = bare
			break
		}
	}
	name, err := idna.Lookup.ToASCII(host)
	if err != nil {
		name = host // Lookup refuses underscores and IPv6, which http allows
	}
	if name = named(name); name == "" { // net/url lets through what no name has, such as a>b
		return ""
	}
	if u.Port() == "" {
		return name
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16) // net/url lets through any digits
	switch {
	case err != nil || port == 0:
		return ""
	case port == 443 && u.Scheme == "https", port == 80 && u.Scheme == "http":
		return name
	default:
		return name + ":" + strconv.FormatUint(port, 10)
	}
}

// maxHost is how long a name in the DNS can be (RFC 1035, section 2.3.4).
const maxHost = 253

// named is the name or number of a server as an address has it, "" when none can be such (RFC 3986, section 3.2.2, without what
// must be escaped, and without zones). Of the ways to write an IPv6 number it is always the same one.
func named(host string) string {
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		if err != nil || ip.Zone() != "" {
			return ""
		}
		return "[" + ip.String() + "]"
	}
	if len(host) > maxHost || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" || strings.Contains("."+host+".", "..") {
		return ""
	}
	return host
}

// SameOrigin reports whether two addresses have the same scheme and [Host].
func SameOrigin(a, b string) bool {
	ha, hb := Host(a), Host(b)
	return ha != "" && ha == hb && strings.HasPrefix(strings.ToLower(a), "https:") == strings.HasPrefix(strings.ToLower(b), "https:")
}

// Endpoints are the documents under an actor's endpoints.
func Endpoints(doc map[string]any) []map[string]any {
	var all []map[string]any
	for _, v := range list(doc["endpoints"]) {
		if m, ok := v.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
