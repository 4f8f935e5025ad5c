package federation_test

import (
	"fmt"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// says lets a peer write a Note under an entry, and waits until that is done.
func (in *instance) says(p *fedtest.Peer, kind string, e directory.Entry, words string, change func(note map[string]any)) {
	in.t.Helper()
	note := map[string]any{
		"id": p.URL() + "/notes/1", "type": "Note", "attributedTo": p.ID(), "inReplyTo": in.base + "/id/" + string(e.ID), "content": "<p>" + words + "</p>",
		"to": "https://www.w3.org/ns/activitystreams#Public",
	}
	if change != nil {
		change(note)
	}
	in.does(p, p.Activity(kind, note))
}

// does sends an activity of a peer, and waits until it is done.
func (in *instance) does(p *fedtest.Peer, doc map[string]any) {
	in.t.Helper()
	if status := p.Post(in.inbox(), doc, nil); status != 202 {
		in.t.Fatalf("%v is answered with %d", doc["type"], status)
	}
	eventually(in.t, fmt.Sprint(doc["type"], " to be done"), in.idle)
}

// TestAReplyFollowsItsAuthor changes a shown reply, or takes it back, while it is not wanted for some reason. When it is wanted
// again, the old words do not come back.
func TestAReplyFollowsItsAuthor(t *testing.T) {
	turns := map[string]func(in *instance, host string, org, e directory.Entry, off bool){
		"nothing": func(*instance, string, directory.Entry, directory.Entry, bool) {},
		"a silenced domain": func(in *instance, host string, _, _ directory.Entry, off bool) {
			_, err := in.s.ChangePolicy(in.t.Context(), func(p *federation.Policy) error {
				if delete(p.Rules, host); off {
					p.Rules[host] = federation.Rule{Severity: federation.Silence}
				}
				return nil
			})
			if err != nil {
				in.t.Fatal(err)
			}
		},
		"a hidden entry": func(in *instance, _ string, _, e directory.Entry, off bool) {
			e = must(in.d.Entry(in.t.Context(), e.ID))
			if e.Status = directory.Published; off {
				e.Status = directory.Hidden
			}
			in.put(e)
		},
		"an organisation without replies": func(in *instance, _ string, org, _ directory.Entry, off bool) {
			org = must(in.d.Entry(in.t.Context(), org.ID))
			org.Fediverse.Replies = !off
			in.team(org)
		},
	}
	changes := map[string]func(note map[string]any){
		"other words":  nil,
		"for some":     func(n map[string]any) { n["to"] = "https://elsewhere.example/users/x" },
		"a poll":       func(n map[string]any) { n["type"] = "Question" },
		"no reply":     func(n map[string]any) { delete(n, "inReplyTo") },
		"another page": func(n map[string]any) { n["inReplyTo"] = "https://elsewhere.example/notes/2" },
		"a grave":      func(n map[string]any) { n["type"] = "Tombstone" },
	}
	in := open(t, nil)
	for turn, set := range turns {
		for change, make := range changes {
			t.Run(turn+", "+change, func(t *testing.T) {
				org, e := in.organises(in.organisation("asso-"+strings.ToLower(string(directory.NewID()))[24:], nil), event("Bal"))
				p := fedtest.NewPeer(t)
				in.says(p, "Create", e, "Anciens mots", nil)
				list := must(in.s.RepliesOf(t.Context(), e.ID))
				if len(list) != 1 {
					t.Fatalf("%v", list)
				}
				if err := in.s.DecideReply(t.Context(), e.ID, list[0].Key, list[0].Rev, federation.ReplyShown, "test"); err != nil {
					t.Fatal(err)
				}
				host := strings.TrimPrefix(p.URL(), "http://")
				set(in, host, org, e, true)
				in.says(p, "Update", e, "Nouveaux mots", make)
				set(in, host, org, e, false)
				e = must(in.d.Entry(t.Context(), e.ID))
				echo, err := in.s.Echo(t.Context(), &e)
				if err != nil || len(echo.Replies) != 0 {
					t.Errorf("%v %v", echo.Replies, err)
				}
				list = must(in.s.RepliesOf(t.Context(), e.ID))
				if change == "other words" {
					if len(list) != 1 || list[0].State != federation.ReplyPending || !strings.Contains(list[0].Content, "Nouveaux") {
						t.Errorf("the new words do not wait: %v", list)
					}
				} else if len(list) != 0 {
					t.Errorf("it is still here: %v", list)
				}
			})
		}
	}
}
