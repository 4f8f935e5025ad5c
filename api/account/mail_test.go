package account_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/sqlitestore"
)

// smtpServer speaks enough of RFC 5321 and RFC 4954 to take mails on loopback.
type smtpServer struct {
	ln     net.Listener
	mu     sync.Mutex
	got    []string // what came as DATA
	rcpt   []string
	auth   []string
	refuse string // answer to RCPT instead of 250
	away   bool   // it hangs up on everybody
	wg     sync.WaitGroup
}

func startSMTP(t *testing.T) *smtpServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &smtpServer{ln: ln}
	s.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); s.wg.Wait() })
	return s
}

func (s *smtpServer) serve(conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	in := bufio.NewReader(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 test ESMTP")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		refuse := s.refuse
		s.mu.Unlock()
		switch verb := strings.ToUpper(strings.SplitN(line, " ", 2)[0]); verb {
		case "EHLO":
			say("250-test")
			say("250-8BITMIME")
			say("250-SMTPUTF8")
			say("250 AUTH PLAIN")
		case "AUTH":
			s.mu.Lock()
			s.auth = append(s.auth, line)
			s.mu.Unlock()
			say("235 ok")
		case "RCPT":
			if refuse != "" {
				say(refuse)
				continue
			}
			s.mu.Lock()
			s.rcpt = append(s.rcpt, line)
			s.mu.Unlock()
			say("250 ok")
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				l, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(l, "."))
			}
			s.mu.Lock()
			s.got = append(s.got, b.String())
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *smtpServer) mails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// outbox is a mailer of its own, with a clock.
type outbox struct {
	*account.Mailer
	store directory.Store
	now   time.Time
}

func newOutbox(t *testing.T, transport account.Transport) *outbox {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	o := &outbox{store: store, now: time.Now()}
	o.Mailer = account.NewMailer(account.MailerOptions{Store: store, Transport: transport, Now: func() time.Time { return o.now }, Log: slog.New(slog.DiscardHandler),
		Site: func() account.Site { return account.Site{Name: "Île d’essai", Languages: []string{"fr"}} }})
	return o
}

func (o *outbox) flush(t *testing.T) {
	t.Helper()
	if err := o.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (o *outbox) waiting(t *testing.T) int {
	t.Helper()
	list, err := o.store.Records(t.Context(), "mail", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestSMTP(t *testing.T) {
	server := startSMTP(t)
	address := server.ln.Addr().String()
	smtp, err := account.NewSMTP("smtp://jean:s%40cret@"+address, "Île d’essai <bonjour@example.org>")
	if err != nil {
		t.Fatal(err)
	}
	o := newOutbox(t, smtp)
	evil := "Jeanne\r\nBcc: victim@example.org\r\n\r\nBuy <script>alert(1)</script>"
	msg := account.Message{Key: "1", To: "jeanne@example.org", Lang: "en", Template: "mail.mail_changed", Params: map[string]string{"Name": evil, "Mail": evil, "Site": "X"}, Unsubscribe: "https://annuaire.example/u?t=1"}
	for range 3 { // asked for three times, by a program that crashed in between
		if err := o.Send(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []account.Message{
		{Key: "2", To: "a@b.fr\r\nRCPT TO:<x@y.fr>", Template: "mail.deleted"}, {Key: "2", Template: "mail.deleted"}, {To: "a@b.fr", Template: "mail.deleted"}, {Key: "2", To: "a@b.fr"},
		{Key: "2", To: "a@b.fr", Subject: "a\r\nBcc: x@y.fr", Text: "x"}, {Key: "2", To: "a@b.fr", Template: "mail.deleted", Unsubscribe: "https://x/\r\nBcc: x@y.fr"},
	} {
		if o.Send(t.Context(), bad) == nil {
			t.Errorf("taken: %+v", bad)
		}
	}
	o.flush(t)
	o.flush(t)
	if err := o.Send(t.Context(), msg); err != nil || o.waiting(t) != 0 {
		t.Errorf("a mail that was sent is queued again: %v", err)
	}
	got := server.mails()
	if len(got) != 1 || len(server.rcpt) != 1 || !strings.Contains(server.rcpt[0], "<jeanne@example.org>") || len(server.auth) != 1 {
		t.Fatalf("the server got %d mails for %q, signed in with %q", len(got), server.rcpt, server.auth)
	}
	m, err := mail.ReadMessage(strings.NewReader(got[0]))
	if err != nil {
		t.Fatal(err)
	}
	from, err := m.Header.AddressList("From")
	subject, decodeErr := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || decodeErr != nil || from[0].Name != "Île d’essai" || from[0].Address != "bonjour@example.org" || !strings.HasPrefix(subject, "The address of your account") {
		t.Errorf("From %v (%v), Subject %q (%v)", from, err, subject, decodeErr)
	}
	for header, want := range map[string]string{"Bcc": "", "List-Unsubscribe": "<https://annuaire.example/u?t=1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Auto-Submitted": "auto-generated"} {
		if got := m.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if !strings.HasSuffix(m.Header.Get("Message-Id"), "@example.org>") {
		t.Errorf("Message-ID %q", m.Header.Get("Message-Id"))
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatal(kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"text/plain", "text/html"} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil || !strings.HasPrefix(part.Header.Get("Content-Type"), want) {
			t.Errorf("part %s: %v", part.Header.Get("Content-Type"), err)
		}
		if script := strings.Contains(string(body), "<script>"); script != (want == "text/plain") || !strings.Contains(string(body), "Jeanne") {
			t.Errorf("%s: %s", want, body)
		}
	}
}

// TestServerAway: an hour without a mail server loses nothing and doubles nothing.
func TestServerAway(t *testing.T) {
	server := startSMTP(t) // it keeps its port all the while, which could be somebody else's otherwise
	server.away = true
	smtp, err := account.NewSMTP("smtp://"+server.ln.Addr().String(), "bonjour@example.org")
	if err != nil {
		t.Fatal(err)
	}
	o := newOutbox(t, smtp)
	for i := range 3 {
		if err := o.Send(t.Context(), account.Message{Key: fmt.Sprint(i), To: "jeanne@example.org", Template: "mail.deleted"}); err != nil {
			t.Fatal(err)
		}
	}
	tries := 0
	for range 60 {
		before, err := o.store.Records(t.Context(), "mail", "", 1)
		if err != nil {
			t.Fatal(err)
		}
		o.flush(t)
		if after, err := o.store.Records(t.Context(), "mail", "", 1); err != nil || after[0].Rev != before[0].Rev {
			tries++
		}
		o.now = o.now.Add(time.Minute)
	}
	if o.waiting(t) != 3 || tries < 4 || tries > 10 {
		t.Errorf("after an hour %d of 3 wait, after %d tries; want all, and few tries", o.waiting(t), tries)
	}
	server.mu.Lock()
	server.away = false
	server.refuse = "451 greylisted, come back later"
	server.mu.Unlock()
	o.now = o.now.Add(2 * time.Hour)
	o.flush(t)
	if o.waiting(t) != 3 || len(server.mails()) != 0 {
		t.Errorf("after \"later\" %d wait", o.waiting(t))
	}
	server.mu.Lock()
	server.refuse = ""
	server.mu.Unlock()
	o.now = o.now.Add(2 * time.Hour)
	o.flush(t)
	o.now = o.now.Add(2 * time.Hour)
	o.flush(t)
	if o.waiting(t) != 0 || len(server.mails()) != 3 {
		t.Errorf("in the end %d wait, %d arrived; want 0 and 3", o.waiting(t), len(server.mails()))
	}
	// What will never be taken is given up at once, and does not hold up the rest.
	server.mu.Lock()
	server.refuse = "550 no such person"
	server.mu.Unlock()
	if err := o.Send(t.Context(), account.Message{Key: "x", To: "nobody@example.org", Template: "mail.deleted"}); err != nil {
		t.Fatal(err)
	}
	o.flush(t)
	failed, err := o.store.Records(t.Context(), "mail-failed", "", 10)
	if err != nil || o.waiting(t) != 0 || len(failed) != 1 {
		t.Errorf("refused for good: %d wait, %d failed (%v)", o.waiting(t), len(failed), err)
	}
}

// counting delivers slowly and counts.
type counting struct {
	mu sync.Mutex
	n  map[string]int
	in func() error
}

func (c *counting) Real() bool { return true }
func (c *counting) Deliver(_ context.Context, m *account.Mail) error {
	c.mu.Lock()
	c.n[m.ID]++
	c.mu.Unlock()
	return c.in()
}

// TestSeveralNodes: nodes that share a store send each mail once between them.
func TestSeveralNodes(t *testing.T) {
	c := &counting{n: map[string]int{}, in: func() error { time.Sleep(time.Millisecond); return nil }}
	o := newOutbox(t, c)
	for i := range 40 {
		if err := o.Send(t.Context(), account.Message{Key: fmt.Sprint(i), To: "jeanne@example.org", Subject: "s", Text: "t"}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		other := account.NewMailer(account.MailerOptions{Store: o.store, Transport: c, Site: o.Site, Now: o.MailerOptions.Now, Log: slog.New(slog.DiscardHandler)})
		wg.Go(func() {
			if err := other.Flush(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(c.n) != 40 {
		t.Errorf("%d of 40 mails were sent", len(c.n))
	}
	for id, n := range c.n {
		if n != 1 {
			t.Errorf("mail %s was sent %d times", id, n)
		}
	}
}

// between is a store in which something happens when it is first asked whether a mail was sent.
type between struct {
	directory.Store
	happens func()
}

func (b *between) Record(ctx context.Context, kind, key string) (directory.Record, error) {
	r, err := b.Store.Record(ctx, kind, key)
	if kind == "mail-sent" && b.happens != nil {
		happens := b.happens
		b.happens = nil
		happens()
	}
	return r, err
}

// TestSentMeanwhile: while one node reads a mail, another one sends it, and a third one, which asked whether it was sent
// before that, queues it once more.
func TestSentMeanwhile(t *testing.T) {
	c := &counting{n: map[string]int{}, in: func() error { return nil }}
	o := newOutbox(t, c)
	if err := o.Send(t.Context(), account.Message{Key: "1", To: "jeanne@example.org", Subject: "s", Text: "t"}); err != nil {
		t.Fatal(err)
	}
	waits, err := o.store.Records(t.Context(), "mail", "", 2)
	if err != nil || len(waits) != 1 {
		t.Fatal(waits, err)
	}
	slow := &between{Store: o.store, happens: func() {
		o.flush(t)
		err := o.store.PutRecord(t.Context(), "mail", directory.Record{Key: waits[0].Key, Value: waits[0].Value})
		if err != nil && !errors.Is(err, directory.ErrStale) {
			t.Error(err)
		}
	}}
	other := account.NewMailer(account.MailerOptions{Store: slow, Transport: c, Site: o.Site, Now: o.MailerOptions.Now, Log: slog.New(slog.DiscardHandler)})
	if err := other.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.flush(t)
	if len(c.n) != 1 || c.n[waits[0].Key] != 1 || slow.happens != nil || o.waiting(t) != 0 {
		t.Errorf("sent %v times, %d wait", c.n, o.waiting(t))
	}
}

// TestGivenUp: after three days of trying, a mail is put aside.
func TestGivenUp(t *testing.T) {
	c := &counting{n: map[string]int{}, in: func() error { return errors.New("away") }}
	o := newOutbox(t, c)
	if err := o.Send(t.Context(), account.Message{Key: "1", To: "jeanne@example.org", Subject: "s", Text: "t"}); err != nil {
		t.Fatal(err)
	}
	for range 80 {
		o.flush(t)
		o.now = o.now.Add(time.Hour)
	}
	if o.waiting(t) != 0 {
		t.Error("a mail is tried for ever")
	}
}

// TestDamagedMail: a record that is no mail is put aside, and what is behind it is sent.
func TestDamagedMail(t *testing.T) {
	c := &counting{n: map[string]int{}, in: func() error { return nil }}
	o := newOutbox(t, c)
	for _, key := range []string{"0", "~0"} { // in front of all others, of their kind
		if err := o.store.PutRecord(t.Context(), "mail", directory.Record{Key: key, Value: []byte(`{"message":[]}`)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, bulk := range []bool{false, true} {
		if err := o.Send(t.Context(), account.Message{Key: fmt.Sprint(i), To: "jeanne@example.org", Subject: "s", Text: "t", Bulk: bulk}); err != nil {
			t.Fatal(err)
		}
	}
	o.flush(t)
	failed, err := o.store.Records(t.Context(), "mail-failed", "", 10)
	if err != nil || len(failed) != 2 || len(c.n) != 2 || o.waiting(t) != 0 {
		t.Errorf("%d put aside (%v), %d sent, %d wait; want 2, 2 and 0", len(failed), err, len(c.n), o.waiting(t))
	}
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mails")
	var log strings.Builder
	o := newOutbox(t, &account.Folder{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if o.Configured() {
		t.Error("a folder counts as a mail server")
	}
	if err := o.Send(t.Context(), account.Message{Key: "../../x", To: "jeanne@example.org", Subject: "Été", Text: "Bonjour"}); err != nil {
		t.Fatal(err)
	}
	o.flush(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %q, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if m, err := mail.ReadMessage(f); err != nil || m.Header.Get("To") == "" {
		t.Errorf("the file is no mail: %v", err)
	}
	if !strings.Contains(log.String(), "jeanne@example.org") || !strings.Contains(log.String(), "Bonjour") {
		t.Errorf("the log says %s", &log)
	}
}

func TestSMTPAddress(t *testing.T) {
	for in, from := range map[string]string{
		"http://x": "a@b.fr", "smtp://": "a@b.fr", "smtp://x:99999": "a@b.fr", "smtp://x/y": "a@b.fr", "smtp://x": "", "smtps://x": "no address", "smtp://u:secret@ x": "a@b.fr",
		"smtp://y": "a@b.fr\r\nBcc: x@y.fr",
	} {
		_, err := account.NewSMTP(in, from)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("NewSMTP(%q, %q): %v", in, from, err)
		}
	}
	for _, in := range []string{"smtp://x", "smtp://u:p@x:25", "smtps://u@x"} {
		if _, err := account.NewSMTP(in, "Archipel <a@b.fr>"); err != nil {
			t.Errorf("NewSMTP(%q): %v", in, err)
		}
	}
}
