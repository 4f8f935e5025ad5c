package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/api/smtptest"
	"archipel/directory/sqlitestore"
)

// hand is somebody with cookies who uses forms, without a browser. Whatever fails for want of a program is only not done.
type hand struct {
	http.Client
	p *program
}

func newHand(p *program) *hand {
	jar, _ := cookiejar.New(nil)
	return &hand{Client: http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, p: p}
}

// ask sends a request; a status of 0 means that there was no answer.
func (h *hand) ask(method, path, kind string, body []byte, header ...string) (int, string, http.Header) {
	req, err := http.NewRequest(method, h.p.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil
	}
	req.Header.Set("Accept", "text/html")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := h.Do(req)
	if err != nil {
		return 0, "", nil
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", nil
	}
	return res.StatusCode, string(b), res.Header
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// post sends the form of a page.
func (h *hand) post(page, action string, fields url.Values) (int, string, http.Header) {
	_, body, _ := h.ask("GET", page, "", nil)
	m := csrfField.FindStringSubmatch(body)
	if m == nil {
		return 0, "", nil
	}
	fields.Set("csrf", m[1])
	return h.ask("POST", action, "application/x-www-form-urlencoded", []byte(fields.Encode()))
}

// enters makes an account by the command line, follows its link, and makes a token for programs.
func (h *hand) enters(t *testing.T, dir, mail, role string) (token string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "account", "create", "-data", dir, "-role", role, "-mail", mail)
	cmd.Env = append(os.Environ(), "ARCHIPEL_TEST_PROGRAM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("account create: %v\n%s", err, out)
	}
	return h.follows(t, string(out))
}

// follows opens the link that a new account was given, and makes a token for programs.
func (h *hand) follows(t *testing.T, said string) (token string) {
	t.Helper()
	link, err := url.Parse(regexp.MustCompile(`https?://\S+`).FindString(said))
	if err != nil {
		t.Fatalf("account create said %q: %v", said, err)
	}
	if code, body, _ := h.post(link.RequestURI(), "/confirm", url.Values{"token": {link.Query().Get("token")}, "password": {"trois petits chats gris"}}); code != http.StatusSeeOther {
		t.Fatalf("entering: %d %s", code, body)
	}
	_, body, _ := h.post("/account", "/account/tokens", url.Values{"token_name": {"x"}, "scopes": {"read", "write"}})
	m := regexp.MustCompile(`<code>(archipel_[^<]+)</code>`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no token: %s", body)
	}
	return m[1]
}

// adds puts a place by the API and returns its id, empty when there was no answer.
func (h *hand) adds(token, name string) string {
	feature, _ := json.Marshal(map[string]any{"type": "Feature", "geometry": map[string]any{"type": "Point", "coordinates": []float64{4.39, 45.44}},
		"properties": map[string]any{"kind": "place", "name": name, "categories": []string{"coworking"}}})
	code, body, _ := newHand(h.p).ask("POST", "/api/collections/places/items", "application/geo+json", feature, "Authorization", "Bearer "+token)
	var made struct{ ID string }
	if code != http.StatusCreated || json.Unmarshal([]byte(body), &made) != nil {
		return ""
	}
	return made.ID
}

// uploads begins a draft and gives it a picture; it returns the addresses of the draft and the picture, empty when there was
// no answer.
func (h *hand) uploads(name string) (draft, picture string) {
	m := image.NewRGBA(image.Rect(0, 0, 640, 480)) // another one each time: the same is kept once
	tint := color.RGBA{uint8(rand.IntN(256)), uint8(rand.IntN(256)), uint8(rand.IntN(256)), 255}
	for i := range 640 * 480 {
		m.Set(i%640, i/640, color.RGBA{tint.R, tint.G + uint8(i%640/8), tint.B, 255})
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, m, nil); err != nil {
		return "", ""
	}
	code, _, header := h.post("/add", "/add", url.Values{"kind": {"place"}, "name": {name}, "categories": {"coworking"}, "action": {"next"}})
	if code != http.StatusSeeOther {
		return "", ""
	}
	page := strings.Replace(header.Get("Location"), "/where", "/about", 1)
	_, body, _ := h.ask("GET", page, "", nil)
	csrf := csrfField.FindStringSubmatch(body)
	if csrf == nil {
		return "", ""
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for k, v := range map[string]string{"csrf": csrf[1], "action": "picture", "picture_alt": "La cour"} {
		_ = w.WriteField(k, v)
	}
	f, _ := w.CreateFormFile("picture", "cour.jpg")
	_, _ = f.Write(file.Bytes())
	_ = w.Close()
	code, body, _ = h.ask("POST", page, w.FormDataContentType(), form.Bytes())
	if code != http.StatusOK {
		return "", ""
	}
	return page, regexp.MustCompile(`/media/[0-9a-f]+-[0-9]+\.(jpg|png|webp)`).FindString(body)
}

// TestKilled kills the program with SIGKILL while somebody saves, somebody uploads and a moderator approves: everything that
// was answered stands after the next start, nothing is half, and no decision is told twice.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills the program again and again: left out by -short")
	}
	dir, smtp := t.TempDir(), smtptest.Start(t)
	begin := func() *program {
		return serveIn(t, dir, "-smtp", smtp.URL(), "-mail-from", "bonjour@example.org")
	}
	p := begin()
	anna, moderator := newHand(p), newHand(p)
	annas := anna.enters(t, dir, "anna@example.org", "member")
	moderators := moderator.enters(t, dir, "mod@example.org", "moderator")

	var mu sync.Mutex
	saved, pictures, approved, sent := map[string]string{}, map[string]string{}, map[string]bool{}, map[string]string{}
	const rounds = 3
	for round := range rounds {
		smtp.Away(round == 0) // the mails of the first round have to wait
		for i := range 30 {
			name := fmt.Sprintf("Attend %d.%d", round, i)
			if id := anna.adds(annas, name); id != "" {
				sent[id] = name
			}
		}
		if len(sent) < 10*(round+1) {
			t.Fatalf("%d entries were sent", len(sent))
		}
		var wg sync.WaitGroup
		var busy atomic.Int32 // loops that have neither done anything in this round nor ended
		loop := func(count func() int, one func(i int) bool) {
			before, begun := count(), true
			busy.Add(1)
			wg.Go(func() {
				for i := 0; i < 1000; i++ {
					more := one(i)
					mu.Lock()
					if begun && (!more || count() > before) {
						begun = false
						busy.Add(-1)
					}
					mu.Unlock()
					if !more {
						return
					}
				}
			})
		}
		loop(func() int { return len(saved) }, func(i int) bool {
			name := fmt.Sprintf("Écrit %d.%d", round, i)
			id := moderator.adds(moderators, name)
			if id != "" {
				mu.Lock()
				saved[id] = name
				mu.Unlock()
			}
			return id != ""
		})
		loop(func() int { return len(pictures) }, func(i int) bool {
			draft, at := anna.uploads(fmt.Sprintf("Image %d.%d", round, i))
			if at != "" {
				mu.Lock()
				pictures[at] = draft
				mu.Unlock()
			}
			return at != "" && i < 10
		})
		waits := make([]string, 0, len(sent))
		for id := range sent {
			if !approved[id] {
				waits = append(waits, id)
			}
		}
		loop(func() int { return len(approved) }, func(i int) bool {
			if i == len(waits) {
				return false
			}
			_, page, _ := moderator.ask("GET", "/moderate?show=new", "", nil)
			version := regexp.MustCompile(`action="/moderate/entries/` + waits[i] + `"[^§]*?name="version" value="(\d+)"`).FindStringSubmatch(page)
			if version == nil {
				return page != "" // on another page of the queue
			}
			code, _, _ := moderator.post("/moderate", "/moderate/entries/"+waits[i], url.Values{"decision": {"approve"}, "version": {version[1]}})
			if code == http.StatusSeeOther {
				mu.Lock()
				approved[waits[i]] = true
				mu.Unlock()
			}
			return code != 0
		})
		eventually(t, "each does something", func() bool { return busy.Load() == 0 })
		time.Sleep(time.Duration(rand.IntN(1200)) * time.Millisecond) // when it dies is left to chance
		p.kill()
		wg.Wait()
		smtp.Away(false)
		p = begin()
		anna.p, moderator.p = p, p
		whole := func(id, name string) bool {
			code, body := p.get("/api/collections/places/items/" + id)
			return code == http.StatusOK && strings.Contains(body, `"`+name+`"`) && strings.Contains(body, `"published"`)
		}
		for id, name := range saved {
			if !whole(id, name) {
				t.Errorf("round %d: %s was saved and is lost", round, name)
			}
		}
		for id := range approved {
			if !whole(id, sent[id]) {
				t.Errorf("round %d: %s was approved and is not public", round, sent[id])
			}
		}
		for at, draft := range pictures {
			if _, body, _ := anna.ask("GET", draft, "", nil); !strings.Contains(body, at) {
				t.Errorf("round %d: the draft %s has lost its picture", round, draft)
			}
			if code, body := p.get(at); code != http.StatusOK {
				t.Errorf("round %d: %s was uploaded: %d", round, at, code)
			} else if _, err := jpeg.Decode(strings.NewReader(body)); err != nil {
				t.Errorf("round %d: %s: %v", round, at, err)
			}
		}
		if code, _, _ := moderator.ask("GET", "/moderate", "", nil); code != http.StatusOK {
			t.Fatalf("the session is lost: %d", code)
		}
	}
	if len(saved) < rounds || len(approved) < rounds || len(pictures) == 0 {
		t.Errorf("%d saved, %d approved, %d pictures: too little to prove anything", len(saved), len(approved), len(pictures))
	}
	// Each approval that was answered is told once, or waits to be told: a mail that was under way when the program died waits
	// until nobody can have it any more.
	told := func() (told map[string]int) {
		told = map[string]int{}
		for _, m := range smtp.Mails() {
			for id, name := range sent {
				if strings.Contains(m.Subject, "« "+name+" »") {
					told[id]++
				}
			}
		}
		return told
	}
	waiting := func() map[string]bool {
		store, err := sqlitestore.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		records, err := store.Records(t.Context(), "mail", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		left := map[string]bool{}
		for _, r := range records {
			for id, name := range sent {
				if bytes.Contains(r.Value, []byte(`"`+name+`"`)) {
					left[id] = true
				}
			}
		}
		return left
	}
	settled := func(done map[string]int, left map[string]bool) bool {
		for id := range approved {
			if done[id] == 0 && !left[id] {
				return false
			}
		}
		return true
	}
	eventually(t, "every approval is told or waits to be", func() bool { return settled(told(), waiting()) })
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	done, left := told(), waiting()
	if !settled(done, left) {
		t.Error("a mail is lost")
	}
	for id, n := range done {
		if n > 1 {
			t.Errorf("%s was told %d times", sent[id], n)
		}
		if code := approved[id]; !code && n > 0 {
			t.Logf("%s was approved without an answer, and told", sent[id])
		}
	}
	t.Logf("%d saved, %d pictures, %d approved: %d told, %d wait", len(saved), len(pictures), len(approved), len(done), len(left))
}
