package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Fediverse is how an organisation takes part in the fediverse, by the wish of its team.
//
// The handle is chosen once: it stands in other servers' databases, and is nobody else's ever after, also when the entry
// is gone. [Directory.Write] sees to it.
type Fediverse struct {
	Handle       string    `json:"handle"`                 // the part before the @: see [HandleForm]
	Type         string    `json:"type,omitempty"`         // see [ActorTypes]; empty means Group
	Since        time.Time `json:"since,omitzero"`         // when it was last switched on
	Off          bool      `json:"off,omitempty"`          // switched off: nobody can follow it
	Discoverable bool      `json:"discoverable,omitempty"` // other servers may suggest it
	Indexable    bool      `json:"indexable,omitempty"`    // other servers may let its posts be searched
	Replies      bool      `json:"replies,omitempty"`      // its team wants replies
	Joins        bool      `json:"joins,omitempty"`        // people elsewhere may say that they come
	JoinsAsk     bool      `json:"joinsAsk,omitempty"`     // and wait for the team's yes
	AlsoKnownAs  []string  `json:"alsoKnownAs,omitempty"`  // its accounts elsewhere, which may move here
	MovedTo      string    `json:"movedTo,omitempty"`      // its account elsewhere, to which it has moved
	MovedHome    string    `json:"movedHome,omitempty"`    // its page in another directory, when it has moved there with its entry
}

// Home is the page in another directory to which an organisation of ours has moved with its entry; empty while it is here.
func (e *Entry) Home() string {
	if e.Kind != Organisation || e.Origin != "" || e.Status != Hidden || e.Fediverse == nil || e.Fediverse.MovedTo == "" {
		return ""
	}
	return e.Fediverse.MovedHome
}

// ActorTypes are the types that the actor of an organisation can have, the usual one first: users of Mobilizon can follow
// no other.
var ActorTypes = []string{"Group", "Organization"}

// MaxAlsoKnownAs is how many accounts elsewhere an organisation can name.
const MaxAlsoKnownAs = 5

// HandleForm is what a handle looks like: what RFC 7565 and every server of the fediverse take, in small letters only.
var HandleForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9_-]{1,28})[a-z0-9]$`)

// reservedHandles are the instance's own, and those that would be taken for it.
var reservedHandles = strings.Fields(`relay mirror admin administrator administrateur administration root system support help aide
	contact info abuse postmaster webmaster hostmaster security moderator moderators moderation moderateur moderatrice staff team
	equipe official officiel instance server actor archipel about api inbox outbox followers following shared-inbox sharedinbox
	noreply no-reply mailer-daemon everyone all here public me null undefined anonymous`)

// reserved reports whether a handle is nobody's to choose. Signs between letters do not tell one from another.
func reserved(handle string) bool {
	bare := strings.NewReplacer("-", "", "_", "").Replace(handle)
	return slices.ContainsFunc(reservedHandles, func(r string) bool { return strings.ReplaceAll(r, "-", "") == bare })
}

// ActorType is the type of the organisation's actor.
func (f *Fediverse) ActorType() string {
	if f == nil || f.Type == "" {
		return ActorTypes[0]
	}
	return f.Type
}

// SuggestHandle makes a handle of a name, or "" when it has not enough letters for one.
func SuggestHandle(name string) string {
	handle := strings.Map(func(r rune) rune {
		if r < 0x80 {
			return r
		}
		return -1
	}, Slugify(name))
	for len(handle) > 30 {
		cut := strings.LastIndexByte(handle, '-')
		if cut < 3 {
			cut = 30
		}
		handle = handle[:cut]
	}
	handle = strings.Trim(handle, "-")
	if !HandleForm.MatchString(handle) || reserved(handle) {
		return ""
	}
	return handle
}

func (c *checker) fediverse(e *Entry) {
	f := e.Fediverse
	if f == nil {
		return
	}
	if e.Kind != Organisation {
		c.add("fediverse", CodeNotHere, nil)
		return
	}
	switch {
	case f.Handle == "":
		c.add("fediverse.handle", CodeRequired, nil)
	case !HandleForm.MatchString(f.Handle):
		c.invalid("fediverse.handle", CodeInvalid, f.Handle)
	case reserved(f.Handle):
		c.invalid("fediverse.handle", CodeTaken, f.Handle)
	}
	if f.Type != "" {
		c.oneOf("fediverse.type", f.Type, ActorTypes)
	}
	if c.many("fediverse.alsoKnownAs", len(f.AlsoKnownAs), MaxAlsoKnownAs) {
		for i, address := range f.AlsoKnownAs {
			field := fmt.Sprintf("fediverse.alsoKnownAs[%d]", i)
			if address == "" {
				c.add(field, CodeRequired, nil)
			}
			c.link(field, address, "http", "https")
		}
	}
	c.link("fediverse.movedTo", f.MovedTo, "http", "https")
	c.link("fediverse.movedHome", f.MovedHome, "http", "https")
}

func (f *Fediverse) normalize() {
	f.Handle = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(f.Handle), "@"))
	f.Type, f.MovedTo, f.MovedHome = strings.TrimSpace(f.Type), strings.TrimSpace(f.MovedTo), strings.TrimSpace(f.MovedHome)
	f.AlsoKnownAs = cleanList(f.AlsoKnownAs, strings.TrimSpace)
	instant(&f.Since)
}

func (f *Fediverse) clone() *Fediverse {
	c := clonePointer(f)
	if c != nil {
		c.AlsoKnownAs = slices.Clone(f.AlsoKnownAs)
	}
	return c
}

// kindHandle are the records of handles whose entry was erased: the digest of the handle is the key.
const kindHandle = "handle"

// keepHandle sees to it that a handle stays what it was, and is chosen by one entry only. A change of everything else, an
// old version that is taken back too, leaves it alone.
func (d *Directory) keepHandle(ctx context.Context, e, was *Entry, taken map[string]ID) error {
	if e.Origin != "" {
		return nil // the handles of another instance are its own
	}
	if was != nil && was.Fediverse != nil {
		if e.Fediverse == nil || e.Fediverse.Handle == "" {
			e.Fediverse = was.Fediverse.clone()
		}
		if e.Fediverse.Handle != was.Fediverse.Handle {
			return Invalid{{Field: "fediverse.handle", Code: CodeImmutable}}
		}
		return nil
	}
	if e.Fediverse == nil {
		return nil
	}
	handle := e.Fediverse.Handle
	holder, ok := taken[handle]
	if !ok {
		holder, ok = d.reg.handle(handle)
	}
	if !ok {
		r, err := d.store.Record(ctx, kindHandle, handle)
		if err != nil {
			return err
		}
		if r.Rev > 0 {
			var id ID
			if err := json.Unmarshal(r.Value, &id); err != nil {
				return fmt.Errorf("record %s %s: %w: %w", kindHandle, handle, ErrCorrupt, err)
			}
			holder, ok = id, true
		}
	}
	if ok && holder != e.ID {
		return Invalid{{Field: "fediverse.handle", Code: CodeTaken, Params: map[string]any{"value": handle}}}
	}
	return nil
}

// retireHandle remembers a handle whose entry is about to be erased.
func (d *Directory) retireHandle(ctx context.Context, e *Entry) error {
	if e.Fediverse == nil || e.Origin != "" {
		return nil
	}
	value, err := json.Marshal(e.ID)
	if err != nil {
		return err
	}
	err = d.store.PutRecord(ctx, kindHandle, Record{Key: e.Fediverse.Handle, Value: value})
	if errors.Is(err, ErrStale) {
		return nil // it was remembered before
	}
	return err
}

// ByHandle returns the ID of our entry that has chosen a handle, whatever has become of it since.
func (d *Directory) ByHandle(handle string) (ID, bool) {
	d.know.RLock()
	defer d.know.RUnlock()
	return d.reg.handle(strings.ToLower(handle))
}
