package account

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail"
)

// smtpTimeout is how long a mail server may take for one mail.
const smtpTimeout = 30 * time.Second

// SMTP hands mails to a mail server.
type SMTP struct {
	from    netmail.Address
	host    string
	options []mail.Option
	one     sync.Mutex // one connection at a time: mail servers count them
}

// NewSMTP reads the server's address: "smtp://user:password@host:587" encrypts with STARTTLS where the server offers it and
// always when there is a password, "smtps://" (port 465) from the first byte. from is an address, or "Name <address>".
func NewSMTP(address, from string) (*SMTP, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("-smtp: want smtp://user:password@host:587") // the parser's error would show the password
	}
	if u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("-smtp: want smtp://user:password@host:587 or smtps://user:password@host:465")
	}
	sender, err := parseFrom(from)
	if err != nil {
		return nil, err
	}
	s := &SMTP{from: *sender, host: u.Hostname()}
	port := 587
	if u.Scheme == "smtps" {
		port = 465
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return nil, fmt.Errorf("-smtp: %q is no port", p)
		}
	}
	policy := mail.TLSOpportunistic
	password, secretly := u.User.Password()
	if secretly && !loopback(u.Hostname()) {
		policy = mail.TLSMandatory
	}
	s.options = []mail.Option{mail.WithTimeout(smtpTimeout), mail.WithTLSPolicy(policy), mail.WithPort(port),
		mail.WithTLSConfig(&tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})}
	if u.Scheme == "smtps" {
		s.options = append(s.options, mail.WithSSL())
	}
	if name := u.User.Username(); name != "" {
		auth := mail.SMTPAuthAutoDiscover
		if loopback(u.Hostname()) {
			auth = mail.SMTPAuthPlainNoEnc
		}
		s.options = append(s.options, mail.WithSMTPAuth(auth), mail.WithUsername(name), mail.WithPassword(password))
	}
	return s, nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

func parseFrom(from string) (*netmail.Address, error) {
	if from == "" {
		return nil, errors.New("-mail-from: with -smtp, say from which address mails come")
	}
	a, err := netmail.ParseAddress(from)
	if err != nil || strings.ContainsAny(from, "\r\n") {
		return nil, fmt.Errorf("-mail-from: %q is no address like \"Archipel <bonjour@example.org>\"", from)
	}
	return a, nil
}

// Real reports that mails reach people.
func (s *SMTP) Real() bool { return true }

// Deliver hands one mail to the server.
func (s *SMTP) Deliver(ctx context.Context, m *Mail) error {
	msg, err := message(m, s.from)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	s.one.Lock()
	defer s.one.Unlock()
	client, err := mail.NewClient(s.host, s.options...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, smtpTimeout)
	defer cancel()
	err = client.DialAndSendWithContext(ctx, msg)
	var refused *mail.SendError
	if errors.As(err, &refused) && msg.IsDelivered() {
		return nil // it was taken; only the goodbye failed
	}
	if errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500 {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// message is a mail in the form of RFC 5322: plain text and HTML.
func message(m *Mail, from netmail.Address) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.FromFormat(from.Name, from.Address); err != nil {
		return nil, err
	}
	if err := msg.To(m.To); err != nil {
		return nil, err
	}
	_, host, _ := strings.Cut(from.Address, "@")
	msg.SetMessageIDWithValue(m.ID + "@" + host) // the same for every try, so that a double can be told
	msg.SetDateWithValue(m.Date)
	msg.Subject(oneLine(m.Subject))
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("Content-Language", m.Lang)
	if m.Unsubscribe != "" {
		msg.SetGenHeader("List-Unsubscribe", "<"+m.Unsubscribe+">")
		msg.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	return msg, nil
}

// Folder writes mails to files and to the log, while no mail server is configured.
type Folder struct {
	Dir string // made when the first mail is written
	Log *slog.Logger
}

// Real reports that mails reach nobody.
func (f *Folder) Real() bool { return false }

// Deliver writes one file per mail, readable by the program's user only.
func (f *Folder) Deliver(_ context.Context, m *Mail) error {
	msg, err := message(m, netmail.Address{Name: "Archipel", Address: "archipel@localhost.localdomain"})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(f.Dir, m.Date.UTC().Format("20060102-150405")+"-"+m.ID+".eml")
	file, err := os.OpenFile(name+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = msg.WriteTo(file)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".part", name); err != nil {
		return err
	}
	f.Log.Info("mail is not configured: written instead of sent", "to", m.To, "subject", m.Subject, "file", name, "text", m.Text)
	return nil
}
