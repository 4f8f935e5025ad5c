package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/media"
)

// draftRecords are the records of drafts.
func (s *site) draftRecords() []directory.Record {
	s.t.Helper()
	list, err := s.store.Records(context.Background(), "draft", "", 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// TestVisitorsBeginSoManyEntries: a class may, and a program that fills the disk may not. What was typed is not lost.
func TestVisitorsBeginSoManyEntries(t *testing.T) {
	s := openPosting(t)
	p := s.visitor()
	const many = 40
	for n := range many {
		p.send("/add", fieldsOf("kind", "place", "name", fmt.Sprint("Cabane ", n), "categories", "coworking")).leads(t, "^/add/[A-Z2-7]{26}/where$")
	}
	a := p.send("/add", fieldsOf("kind", "place", "name", "Cabane de trop", "categories", "coworking"))
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Réessayez dans") || !strings.Contains(a.body, `value="Cabane de trop"`) || !strings.Contains(a.body, "/signin") {
		t.Errorf("%d %s", a.StatusCode, plainProblems(a.body))
	}
	if got := len(s.draftRecords()); got != many {
		t.Errorf("%d drafts are kept, want %d", got, many)
	}
	s.member("Anna").send("/add", fieldsOf("kind", "place", "name", "La mienne", "categories", "coworking")).leads(t, "where$")
}

// TestDraftsOfVisitorsAreSmall: a draft is what the form asks for, and not a place to keep files.
func TestDraftsOfVisitorsAreSmall(t *testing.T) {
	s := openPosting(t)
	p := s.visitor()
	fields := fieldsOf("kind", "place", "name", "Cabane", "categories", "coworking", "hours.mo.0.from", "09:00", "links[0].url", "https://example.org", "event.startDate", "2027-01-01")
	for n := range 100 {
		fields.Set(fmt.Sprint("part", n), strings.Repeat("x", 5000))
	}
	about := strings.Replace(p.send("/add", fields).leads(t, "where$"), "where", "about", 1)
	var value struct{ Values url.Values }
	kept := s.draftRecords()[0].Value
	if err := json.Unmarshal(kept, &value); err != nil {
		t.Fatal(err)
	}
	if len(kept) > 2000 || value.Values.Get("part0") != "" {
		t.Errorf("%d bytes are kept: %.300s", len(kept), kept)
	}
	for _, name := range []string{"kind", "name", "categories", "hours.mo.0.from", "links[0].url", "event.startDate"} {
		if value.Values.Get(name) == "" {
			t.Errorf("%s is lost", name)
		}
	}
	long := strings.Repeat("désolé ", 5000)
	a := p.send(about, fieldsOf("description", long, "summary", strings.Repeat("é", 20_000)))
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "raccourcissez, ou connectez-vous") || !strings.Contains(a.body, strings.TrimSpace(long)) {
		t.Errorf("%d %s", a.StatusCode, plainProblems(a.body))
	}
	if got := len(s.draftRecords()[0].Value); got > 2000 {
		t.Errorf("%d bytes are kept", got)
	}
	anna := s.member("Anna")
	about = strings.Replace(anna.send("/add", fieldsOf("kind", "place", "name", "La mienne", "categories", "coworking")).leads(t, "where$"), "where", "about", 1)
	if a := anna.send(about, fieldsOf("description", long, "summary", strings.Repeat("é", 20_000))); strings.Contains(a.body, "connectez-vous") {
		t.Errorf("who has an account is told to have one: %s", plainProblems(a.body))
	}
}

// TestVisitorsSendSoManyPictures: pictures are kept before anybody has read what they belong to.
func TestVisitorsSendSoManyPictures(t *testing.T) {
	s := openPosting(t)
	s.member("Anna").owned("La Fourmilière")
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 3))); err != nil {
		t.Fatal(err)
	}
	p := s.visitor()
	const path = "/e/la-fourmiliere/suggest"
	v := p.fieldsOfPage(path)
	v.Set("action", "picture")
	v.Set("picture_alt", "La cour")
	v.Set("summary", "Un lieu ouvert à tout le quartier")
	for n := range 40 {
		if a := p.send(path, v, file{"x.png", b.Bytes()}); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "/media/") {
			t.Fatalf("%d: %d %s", n, a.StatusCode, plainProblems(a.body))
		}
	}
	a := p.send(path, v, file{"x.png", b.Bytes()})
	if a.StatusCode != http.StatusUnprocessableEntity || strings.Contains(a.body, "/media/") || !strings.Contains(a.body, "Réessayez dans") ||
		!strings.Contains(a.body, `value="La cour"`) || !strings.Contains(a.body, "Un lieu ouvert à tout le quartier") {
		t.Errorf("%d %s", a.StatusCode, plainProblems(a.body))
	}
	anna := s.member("Berthe", trusted)
	if a := anna.send(path, v, file{"x.png", b.Bytes()}); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "/media/") {
		t.Errorf("who has an account is held up by those who have none: %d %s", a.StatusCode, plainProblems(a.body))
	}
}

// TestPicturesOfVisitorsGoSooner: what nobody without an account has sent off is not kept as long as what an entry had.
func TestPicturesOfVisitorsGoSooner(t *testing.T) {
	s := openPosting(t)
	s.server.Now = time.Now // as the files have it
	s.member("Anna").owned("La Fourmilière")
	p := s.visitor()
	const path = "/e/la-fourmiliere/suggest"
	address := regexp.MustCompile(`/media/[0-9a-f]{32}-1600\.jpg`)
	var sent []string
	for n := range 4 {
		v := p.fieldsOfPage(path)
		v.Set("action", "picture")
		v.Set("picture_alt", "La cour")
		a := p.send(path, v, file{"x.jpg", shot(t, 60+n, 40, color.White)})
		sent = append(sent, address.FindString(a.body))
	}
	v := p.fieldsOfPage(path) // the last one waits in a proposal
	v.Set("images[0].url", sent[3])
	v.Set("images[0].alt", "La cour")
	p.send(path, v).leads(t, "thanks")
	e := s.bySlug("la-fourmiliere")
	e.Images = []directory.Image{{URL: sent[1], Alt: "x"}, {URL: sent[2], Alt: "y"}}
	e = s.put(e)[0]
	look := func(days int, want string) {
		t.Helper()
		if _, err := s.server.SweepPictures(t.Context(), time.Now().Add(time.Duration(days-90)*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		got := ""
		for n, one := range sent {
			if kept, err := s.server.Media.Has(t.Context(), one); err != nil {
				t.Fatal(err)
			} else if kept {
				got += fmt.Sprint(n)
			}
		}
		if got != want {
			t.Errorf("after %d days %s are kept, want %s", days, got, want)
		}
	}
	look(7, "0123")
	look(9, "123")
	e.Images = e.Images[:1]
	s.put(e)
	look(30, "123") // an entry had it, so one may go back to it
}

// TestPicturesAreTendedSoonAfterTheStart: a server that is started anew every night tends them too.
func TestPicturesAreTendedSoonAfterTheStart(t *testing.T) {
	s := openPosting(t)
	added, err := s.server.Media.Add(t.Context(), photo(t))
	if err != nil {
		t.Fatal(err)
	}
	s.server.Now = func() time.Time { return time.Now().Add(100 * 24 * time.Hour) }
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.server.TendPicturesAfter(ctx, time.Millisecond)
	}()
	for {
		if kept, err := s.server.Media.Has(ctx, added.URL); err != nil {
			t.Fatal("it is never looked at:", err)
		} else if !kept {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("it is never looked at")
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
}

// TestGoingBackLeavesErasedPicturesOut: the history is kept for ever, and pictures that nothing refers to are not.
func TestGoingBackLeavesErasedPicturesOut(t *testing.T) {
	tn := openTown(t)
	dir := filepath.Join(t.TempDir(), "media")
	pictures, err := media.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tn.server.Media = pictures
	e := place("La Fourmilière", "Lyon", 4.84, 45.76)
	for _, alt := range []string{"gardée", "perdue"} {
		e.Images = append(e.Images, directory.Image{URL: media.Prefix + strings.Repeat(fmt.Sprint(len(alt)), 32) + "-1600.jpg", Alt: alt})
	}
	e.Images = append(e.Images, directory.Image{URL: "https://elsewhere.example/x.jpg", Alt: "ailleurs"})
	if err := os.WriteFile(filepath.Join(dir, strings.TrimPrefix(e.Images[0].URL, media.Prefix)), photo(t), 0o644); err != nil {
		t.Fatal(err)
	}
	first := tn.put(e)[0]
	changed := first
	changed.Images = nil
	second := tn.put(changed)[0]
	mod := tn.somebody("mod", account.Moderator, "fr")
	pair := "/e/" + second.Slug + "/versions?from=" + seq(first.Version) + "&to=" + seq(second.Version)
	got := mod.post(pair, "/e/"+second.Slug+"/revert", url.Values{"version": {seq(second.Version)}, "to": {seq(first.Version)}, "reason": {"Elles manquent"}})
	to := got.leads(t, "/versions")
	if list := tn.entry(first.ID).Images; len(list) != 2 || list[0].Alt != "gardée" || list[1].Alt != "ailleurs" {
		t.Errorf("pictures %+v", list)
	}
	if page := mod.get(to).body; !strings.Contains(page, "Une image de cette version n’est plus gardée") {
		t.Errorf("nobody is told: %s", to)
	}
}
