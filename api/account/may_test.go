package account

import (
	"errors"
	"slices"
	"testing"

	"archipel/directory"
)

// cast is everybody that the table distinguishes, with regard to the entry of the test.
func cast() map[string]*Actor {
	return map[string]*Actor{
		"nobody":          Anonymous(),
		"member":          {ID: "m", Role: Member},
		"editor":          {ID: "e", Role: Member},
		"owner":           {ID: "o", Role: Member},
		"trusted owner":   {ID: "o", Role: Member, Trusted: true},
		"trusted member":  {ID: "m", Role: Member, Trusted: true},
		"warden":          {ID: "w", Role: Member, Wards: []Ward{{Category: "amap", Zone: "42"}}},
		"warden of other": {ID: "w", Role: Member, Wards: []Ward{{Category: "velo"}, {Zone: "69"}, {}}},
		"moderator":       {ID: "mod", Role: Moderator},
		"admin":           {ID: "adm", Role: Admin},
	}
}

// TestMay walks the whole table: every action, everybody. A new action needs its line here.
func TestMay(t *testing.T) {
	all := []string{"nobody", "member", "editor", "owner", "trusted owner", "trusted member", "warden", "warden of other", "moderator", "admin"}
	members := all[1:]
	team := []string{"editor", "owner", "trusted owner", "warden", "moderator", "admin"}
	wards := []string{"warden", "moderator", "admin"}
	admins := []string{"admin"}
	want := map[Action][]string{
		EntryRead: team, EntryCreate: members, EntrySuggest: all, EntryEdit: team,
		EntryPublish: append([]string{"trusted owner"}, wards...), EntryRemove: append([]string{"owner", "trusted owner"}, wards...),
		EntryClaim: members, EntryGrant: {"owner", "trusted owner", "moderator", "admin"}, EntryLeave: {"editor", "owner", "trusted owner"},
		HistoryPrivate: team, ModerateQueue: wards, ModerateDecide: wards, ReportCreate: all,
		SiteEdit: admins, TaxonomyEdit: admins, AccountsManage: admins, AccountsInvite: {"moderator", "admin"}, ImportsUndo: admins, PeersManage: admins,
		EntryReplies: team, EntryGuests: {"editor", "owner", "trusted owner", "moderator", "admin"},
		EntryTeam: {"editor", "owner", "trusted owner", "moderator", "admin"}, TeamJoin: members, MailAnswer: all,
		TokenUse: members, AccountSelf: members, SignIn: all, Subscribe: all,
	}
	e := &directory.Entry{Status: directory.Draft, Categories: []string{"amap"}, Address: &directory.Address{Code: "42218"},
		Private: &directory.Private{Owners: []string{"o"}, Editors: []string{"e"}}}
	for _, action := range Actions() {
		allowed, known := want[action]
		if !known {
			t.Errorf("%s has no line in this test", action)
			continue
		}
		for name, actor := range cast() {
			err := May(actor, action, e)
			if got, want := err == nil, slices.Contains(allowed, name); got != want {
				t.Errorf("%s, %s: allowed %v, want %v (%v)", action, name, got, want, err)
			}
			var refusal *Refusal
			if err != nil && !errors.As(err, &refusal) {
				t.Errorf("%s, %s: %v is no refusal", action, name, err)
			} else if err != nil && (name == "nobody") != (refusal.Reason == ReasonSignIn) {
				t.Errorf("%s, %s: reason %s", action, name, refusal.Reason)
			}
		}
	}
	for action := range want {
		if !slices.Contains(Actions(), action) {
			t.Errorf("%s is not in the table", action)
		}
	}
	if May(&Actor{ID: "adm", Role: Admin}, "no.such", e) == nil {
		t.Error("an action that the table does not name is allowed")
	}
	if May(nil, AccountSelf, nil) == nil {
		t.Error("no actor is somebody")
	}
}

// TestMayToken: a token never does more than its account, nor more than its scopes, and never what has no scope.
func TestMayToken(t *testing.T) {
	e := &directory.Entry{Status: directory.Draft, Categories: []string{"amap"}, Address: &directory.Address{Code: "42218"},
		Private: &directory.Private{Owners: []string{"o"}, Editors: []string{"e"}}}
	for name, actor := range cast() {
		if !actor.SignedIn() {
			continue
		}
		for _, action := range Actions() {
			for _, scopes := range [][]Scope{nil, {ScopeRead}, {ScopeWrite}, {ScopeModerate}, Scopes} {
				token := *actor
				token.Token, token.Scopes = true, scopes
				err := May(&token, action, e)
				scope := rules[action].scope
				want := May(actor, action, e) == nil && scope != "" && slices.Contains(scopes, scope)
				if (err == nil) != want {
					t.Errorf("%s, %s with scopes %v: %v, want allowed %v", action, name, scopes, err, want)
				}
			}
		}
	}
}

func TestMayElsewhere(t *testing.T) {
	admin := &Actor{ID: "adm", Role: Admin}
	mirrored := &directory.Entry{Status: directory.Published, Origin: "autre.example", Private: &directory.Private{Owners: []string{"adm"}}}
	for action, want := range map[Action]bool{EntryEdit: false, EntryGrant: false, EntryClaim: false, EntryTeam: false, EntryRemove: false, ModerateDecide: true, ReportCreate: true, EntryRead: true} {
		if got := May(admin, action, mirrored) == nil; got != want {
			t.Errorf("%s of a mirrored entry: allowed %v, want %v", action, got, want)
		}
	}
	public := &directory.Entry{Status: directory.Published}
	if May(Anonymous(), EntryRead, public) != nil {
		t.Error("a public entry is not public")
	}
	for _, status := range []directory.Status{directory.Draft, directory.Pending, directory.Hidden, directory.Removed} {
		if May(&Actor{ID: "m", Role: Member}, EntryRead, &directory.Entry{Status: status}) == nil {
			t.Errorf("anybody reads an entry that is %s", status)
		}
	}
}

// TestMayDoor: without an entry the question is whether there can be one.
func TestMayDoor(t *testing.T) {
	for _, action := range Actions() {
		for name, actor := range cast() {
			e := &directory.Entry{Status: directory.Draft, Categories: []string{"amap"}, Address: &directory.Address{Code: "42218"},
				Private: &directory.Private{Owners: []string{"o"}, Editors: []string{"e"}}}
			if May(actor, action, e) == nil && May(actor, action, nil) != nil {
				t.Errorf("%s, %s: allowed on an entry, and turned away at the door", action, name)
			}
		}
	}
	if May(&Actor{ID: "m", Role: Member}, ModerateQueue, nil) == nil {
		t.Error("a member without wards gets into the queue")
	}
}

// TestMayThroughATeam: who is of an organisation's team may do with what was posted in its name what they may with the
// organisation's own page, as long as they are of it.
func TestMayThroughATeam(t *testing.T) {
	org := directory.NewID()
	e := &directory.Entry{Status: directory.Draft, Private: &directory.Private{Team: org}}
	keeps := func(owns, edits bool) func(directory.ID) (bool, bool) {
		return func(id directory.ID) (bool, bool) { return id == org && owns, id == org && edits }
	}
	for name, tt := range map[string]struct {
		actor       *Actor
		edit, grant bool
	}{
		"an owner of the organisation":   {&Actor{ID: "o", Role: Member, keeps: keeps(true, false)}, true, true},
		"an editor of the organisation":  {&Actor{ID: "e", Role: Member, keeps: keeps(false, true)}, true, false},
		"somebody else":                  {&Actor{ID: "m", Role: Member, keeps: keeps(false, false)}, false, false},
		"somebody without any team":      {&Actor{ID: "m", Role: Member}, false, false},
		"nobody, whatever a team says":   {&Actor{keeps: keeps(true, true)}, false, false},
		"an editor of the entry's draft": {&Actor{ID: "e", Role: Member, Trusted: true, keeps: keeps(false, true)}, true, false},
	} {
		if got := May(tt.actor, EntryEdit, e) == nil; got != tt.edit {
			t.Errorf("%s edits: %v, want %v", name, got, tt.edit)
		}
		if got := May(tt.actor, EntryGrant, e) == nil; got != tt.grant {
			t.Errorf("%s says who edits: %v, want %v", name, got, tt.grant)
		}
	}
}
