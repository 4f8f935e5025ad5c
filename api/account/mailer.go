package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"archipel/directory"
	"archipel/frontend"
)

// Kinds of the outbox's records.
const (
	kindOutbox = "mail"        // what waits; never expires, so that a backup holds it
	kindSent   = "mail-sent"   // keys that are done, for a while
	kindFailed = "mail-failed" // what was given up, for a while
)

const (
	sentKept   = 30 * 24 * time.Hour // how long a key is remembered
	giveUp     = 3 * 24 * time.Hour  // after this a mail is not tried any more
	mailLease  = 3 * time.Minute     // how long one node has a mail to itself
	firstPause = 30 * time.Second    // after a failure, doubled each time
	longPause  = time.Hour
)

// Message is a mail to one person.
type Message struct {
	// Key makes sending idempotent: of all messages with the same key, one is sent.
	Key string
	// To is a mail address; or Account is the account that it goes to, at its present address and in its language.
	To, Account string
	Lang        string // of the reader; empty: of the account, else of the site

	// Template is a section of the locale files: TEMPLATE.subject, TEMPLATE.text (blank lines part paragraphs) and,
	// with Link, TEMPLATE.button. Params fill in its placeholders, beside Site, the directory's name.
	Template string
	Params   map[string]string
	Link     string // absolute URL
	Links    []Link // more of them, each with its own words

	// Subject, Text and HTML replace what a template says; HTML is put into the frame of every mail as it is.
	Subject, Text, HTML string

	// Maker names a function of [Mailer.Register] that completes the message when it is sent, from For; it makes the
	// links whose life begins then, so that the outbox holds no secret.
	Maker, For string

	// ask is a link that is made when the mail is sent: its life begins then, and the outbox holds no secret.
	ask *link

	// Bulk goes out when nothing else waits: somebody who signs in does not wait for a thousand digests.
	Bulk bool

	// Unsubscribe is an absolute URL that takes a POST (RFC 8058): it becomes List-Unsubscribe.
	Unsubscribe string
}

// Link is a link of a mail with its words: Text as it is, or, with Key, those of that key of the locale files in the reader's
// language, for N of something, where Text is the placeholder Name.
type Link struct {
	URL, Text string
	Key       string `json:",omitempty"`
	N         int    `json:",omitempty"`
}

// Transport hands a mail over.
type Transport interface {
	// Deliver returns nil when somebody else is responsible for the mail now; an error wrapping [ErrRefused] when
	// trying again is of no use.
	Deliver(ctx context.Context, m *Mail) error
	// Real reports whether mails reach people.
	Real() bool
}

// ErrRefused is a mail that its recipient's server will never take.
var ErrRefused = errors.New("the mail was refused")

// Mail is a message as it is sent.
type Mail struct {
	ID, To, Subject, Text, HTML, Unsubscribe, Lang string
	Date                                           time.Time
}

// MailerOptions are the parts of a [Mailer]. Store, Transport and Site are required.
type MailerOptions struct {
	Store     directory.Store
	Transport Transport
	Site      func() Site
	Log       *slog.Logger
	Now       func() time.Time
}

// Mailer sends mails by way of the store: what [Mailer.Send] took survives a crash and a mail server that is away.
type Mailer struct {
	MailerOptions
	wake chan struct{}

	// link makes the link that a message asks for and puts it into the message, or reports that there is nothing to
	// send. It belongs to the [Service].
	link func(ctx context.Context, msg *Message, ask link) (send bool, err error)

	makers map[string]Maker
}

// Maker completes a message when it is sent, or reports that there is nothing to send any more.
type Maker func(ctx context.Context, msg *Message) (send bool, err error)

// Register makes a maker known, before the mailer runs.
func (m *Mailer) Register(name string, maker Maker) { m.makers[name] = maker }

// NewMailer makes a mailer; [Mailer.Run] drives it.
func NewMailer(o MailerOptions) *Mailer {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Mailer{MailerOptions: o, wake: make(chan struct{}, 1), makers: map[string]Maker{}}
}

// Configured reports whether mails reach people, rather than a folder.
func (m *Mailer) Configured() bool { return m.Transport.Real() }

// waiting is a message of the outbox.
type waiting struct {
	Message Message   `json:"message"`
	Ask     *link     `json:"ask,omitempty"`
	Since   time.Time `json:"since"`
	Tries   int       `json:"tries,omitempty"`
	Next    time.Time `json:"next,omitzero"`     // not before
	Error   string    `json:"error,omitempty"`   // of the last try
	Damaged []byte    `json:"damaged,omitempty"` // what was there instead of a message
}

// bulkMark begins the keys of mails in bulk, which are in order behind all others.
const bulkMark = "~"

func outboxKey(key string, bulk bool) string {
	sum := sha256.Sum256([]byte(key))
	if bulk {
		return bulkMark + hex.EncodeToString(sum[:16])
	}
	return hex.EncodeToString(sum[:16])
}

// GivenUp reports whether a mail in bulk, by its message's key, came back lately or could not be sent for days.
func (m *Mailer) GivenUp(ctx context.Context, key string) (bool, error) {
	r, err := m.Store.Record(ctx, kindFailed, outboxKey(key, true))
	return r.Rev > 0, err
}

// Send takes a message: when it returns nil the mail will be sent, once.
func (m *Mailer) Send(ctx context.Context, msg Message) error {
	if msg.Key == "" || (msg.To == "") == (msg.Account == "") || msg.ask == nil && msg.Template == "" && (msg.Subject == "" || msg.Text == "") {
		return fmt.Errorf("mail %q: it needs a key, one recipient and words", msg.Template)
	}
	if msg.To != "" {
		to, err := NormalMail(msg.To)
		if err != nil {
			return err
		}
		msg.To = to
	}
	for _, s := range []string{msg.Subject, msg.Link, msg.Unsubscribe} {
		if strings.ContainsAny(s, "\r\n\x00") {
			return fmt.Errorf("mail %q: a line break where there may be none", msg.Template)
		}
	}
	key := outboxKey(msg.Key, msg.Bulk)
	done, err := m.Store.Record(ctx, kindSent, key)
	if err != nil || done.Rev > 0 {
		return err
	}
	err = save(ctx, m.Store, kindOutbox, key, waiting{Message: msg, Ask: msg.ask, Since: m.Now().UTC()}, 0, time.Time{})
	if err != nil && !errors.Is(err, directory.ErrStale) { // stale: it waits already
		return fmt.Errorf("mail: %w", err)
	}
	if msg.Bulk {
		return nil // in its time
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return nil
}

// Run sends what waits, until ctx ends.
func (m *Mailer) Run(ctx context.Context) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		if err := m.Flush(ctx); err != nil && ctx.Err() == nil {
			m.Log.Error("the outbox cannot be read", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-tick.C:
		}
	}
}

// Flush tries everything that is due once; mails in bulk give way to others that come meanwhile.
func (m *Mailer) Flush(ctx context.Context) error {
	select {
	case <-m.wake: // from here on all that waits is seen
	default:
	}
	for after := ""; ctx.Err() == nil; {
		page, err := m.Store.Records(ctx, kindOutbox, after, 100)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			after = r.Key
			if strings.HasPrefix(r.Key, bulkMark) && len(m.wake) > 0 {
				return nil // Run comes back at once, to the others first
			}
			if err := m.try(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// try delivers one mail, if it is due and nobody else has it. The error is the store's.
func (m *Mailer) try(ctx context.Context, r directory.Record) error {
	var w waiting
	now := m.Now().UTC()
	if err := json.Unmarshal(r.Value, &w); err != nil { // the others do not wait for it
		m.Log.Error("a mail is damaged and was given up", "mail", r.Key, "err", err)
		return m.putAside(ctx, r.Key, waiting{Since: now, Error: err.Error(), Damaged: r.Value})
	}
	if w.Next.After(now) {
		return nil
	}
	// The lease: who moves Next first has it.
	w.Tries++
	w.Next = now.Add(mailLease)
	if err := save(ctx, m.Store, kindOutbox, r.Key, w, r.Rev, time.Time{}); err != nil {
		if errors.Is(err, directory.ErrStale) {
			return nil
		}
		return err
	}
	// Only now: while it was read here another node may have sent it, and a third one, which asked for it at that moment,
	// brought it back under the same revision.
	done, err := m.Store.Record(ctx, kindSent, r.Key)
	if err != nil {
		return err
	}
	if done.Rev > 0 { // it was sent, and then the program died
		return m.Store.DeleteRecord(ctx, kindOutbox, r.Key, 0)
	}
	send, msg := true, w.Message
	if w.Ask != nil {
		send, err = m.link(ctx, &msg, *w.Ask)
	} else if msg.Maker != "" {
		if maker := m.makers[msg.Maker]; maker != nil {
			send, err = maker(ctx, &msg)
		} else {
			err = fmt.Errorf("%w: nobody makes %q", ErrRefused, msg.Maker)
		}
	}
	var mail *Mail
	if err == nil && send {
		mail, err = m.compose(ctx, &msg, r.Key, w.Since)
	}
	if err == nil && send {
		err = m.Transport.Deliver(ctx, mail)
	}
	if ctx.Err() != nil && err != nil {
		return nil // the lease ends by itself
	}
	if err == nil || errors.Is(err, ErrNoAccount) {
		if err := save(ctx, m.Store, kindSent, r.Key, struct{}{}, 0, now.Add(sentKept)); err != nil && !errors.Is(err, directory.ErrStale) {
			return err
		}
		return m.Store.DeleteRecord(ctx, kindOutbox, r.Key, 0)
	}
	w.Error = err.Error()
	if errors.Is(err, ErrRefused) || now.Sub(w.Since) > giveUp {
		m.Log.Error("a mail was given up", "mail", r.Key, "template", w.Message.Template, "tries", w.Tries, "err", err)
		return m.putAside(ctx, r.Key, w)
	}
	m.Log.Warn("a mail waits", "mail", r.Key, "template", w.Message.Template, "tries", w.Tries, "err", err)
	w.Next = now.Add(min(longPause, firstPause<<min(w.Tries-1, 10)))
	if err := save(ctx, m.Store, kindOutbox, r.Key, w, r.Rev+1, time.Time{}); err != nil && !errors.Is(err, directory.ErrStale) {
		return err
	}
	return nil
}

// putAside takes a mail that was given up out of the outbox.
func (m *Mailer) putAside(ctx context.Context, key string, w waiting) error {
	if err := save(ctx, m.Store, kindFailed, key, w, 0, m.Now().Add(sentKept)); err != nil && !errors.Is(err, directory.ErrStale) {
		return err
	}
	return m.Store.DeleteRecord(ctx, kindOutbox, key, 0)
}

// compose writes a message in the reader's language.
func (m *Mailer) compose(ctx context.Context, msg *Message, key string, date time.Time) (*Mail, error) {
	site := m.Site()
	to, lang := msg.To, msg.Lang
	if msg.Account != "" {
		a, err := get(ctx, m.Store, msg.Account)
		if err != nil {
			return nil, err
		}
		if to = a.Mail; lang == "" {
			lang = a.Lang
		}
	}
	if lang == "" {
		lang = site.Languages[0]
	}
	l := frontend.T(lang)
	args := []any{"Site", site.Name}
	for k, v := range msg.Params {
		args = append(args, k, v)
	}
	view := frontend.MailView{Lang: l.Lang(), Site: site.Name, Subject: msg.Subject, HTML: msg.HTML}
	text := msg.Text
	if msg.Template != "" {
		if view.Subject == "" {
			view.Subject = l.Text(msg.Template+".subject", args...)
		}
		if text == "" {
			text = l.Text(msg.Template+".text", args...)
		}
	}
	view.Subject = oneLine(view.Subject)
	for _, p := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			view.Paragraphs = append(view.Paragraphs, p)
		}
	}
	if msg.Link != "" {
		view.Links = append(view.Links, frontend.MailLink{URL: msg.Link, Text: l.Text(msg.Template+".button", args...)})
	}
	for _, one := range msg.Links {
		if one.Key != "" {
			one.Text = l.Plural(one.Key, one.N, "Name", one.Text)
		}
		view.Links = append(view.Links, frontend.MailLink{URL: one.URL, Text: one.Text})
	}
	view.Unsubscribe = msg.Unsubscribe
	plain := frontend.MailText(view)
	if msg.HTML != "" && msg.Text != "" {
		view.Paragraphs = nil // they say the same
	}
	html, err := frontend.MailHTML(ctx, view)
	if err != nil {
		return nil, err
	}
	return &Mail{ID: key, To: to, Subject: view.Subject, Text: plain, HTML: html, Unsubscribe: msg.Unsubscribe, Lang: view.Lang, Date: date}, nil
}

// oneLine makes one line of a text, for a header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }), " ")
}
