package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/sqlitestore"
)

// TestFirstAccount makes the first administrator by the link that the program prints, and others from the command line.
func TestFirstAccount(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "-listen", "127.0.0.1:0", "-data", dir}, func(string) string { return "" }, in, io.Discard)
	}()
	defer func() { stop(); out.Close(); <-ended }()
	said := make([]byte, 0, 1000)
	link := regexp.MustCompile(`(http://[^/\s]+)(/confirm\?token=\S+)\n`)
	for !link.Match(said) {
		chunk := make([]byte, 500)
		n, err := out.Read(chunk)
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, chunk[:n]...)
	}
	if lines := strings.Split(string(said), "\n"); !strings.HasPrefix(lines[0], "Archipel listens on http://127.0.0.1:") || !strings.HasPrefix(lines[1], "Its data is in ") {
		t.Errorf("it says %q", said)
	}
	go io.Copy(io.Discard, out) // whatever else it says does not wait for us
	found := link.FindStringSubmatch(string(said))
	base, path := found[1], found[2]
	if got := makeAccount(t, base, path, url.Values{"name": {"Admin"}, "mail": {"admin@example.org"}, "password": {"quatre mots bien longs"}}); got != "/account" {
		t.Errorf("the first account leads to %q", got)
	}
	if got := makeAccount(t, base, path, url.Values{"name": {"B"}, "mail": {"b@example.org"}, "password": {"quatre mots bien longs"}}); got != "410" {
		t.Errorf("the link a second time leads to %q", got)
	}

	command := func(args ...string) (string, error) {
		var b bytes.Buffer
		err := run(t.Context(), append([]string{"account", "-data", dir, "-public-url", base}, args...), func(string) string { return "" }, &b, io.Discard)
		return b.String(), err
	}
	text, err := command("create", "-role", "moderator", "-mail", "Mod@example.org")
	if err != nil || !link.MatchString(text) {
		t.Fatalf("account create: %q, %v", text, err)
	}
	if got := makeAccount(t, base, link.FindStringSubmatch(text)[2], url.Values{"password": {"quatre mots bien longs"}}); got != "/account" {
		t.Errorf("the link of account create leads to %q", got)
	}
	if text, err = command("list"); err != nil || !regexp.MustCompile(`mod@example\.org +mod +moderator `).MatchString(text) || !strings.Contains(text, "admin@example.org") {
		t.Errorf("account list: %q, %v", text, err)
	}
	if _, err = command("role", "mod@example.org", "admin"); err != nil {
		t.Errorf("account role: %v", err)
	}
	if _, err = command("delete", "admin@example.org"); err != nil {
		t.Errorf("account delete: %v", err)
	}
	if text, err = command("list"); err != nil || strings.Contains(text, "admin@example.org") || !regexp.MustCompile(`mod@example\.org +mod +admin `).MatchString(text) {
		t.Errorf("account list at the end: %q, %v", text, err)
	}
	for _, bad := range [][]string{{}, {"fly"}, {"create"}, {"create", "-mail", "x"}, {"create", "-mail", "mod@example.org"}, {"create", "-mail", "c@example.org", "-role", "god"},
		{"delete", "nobody@example.org"}, {"delete", "mod@example.org"}, {"role", "mod@example.org", "member"}, {"list", "x"}} {
		if _, err := command(bad...); err == nil {
			t.Errorf("account %q is taken", bad)
		}
	}

	// Without a mail server, mails are files; the running server writes them.
	if got := makeAccount(t, base, "/forgot", url.Values{"mail": {"mod@example.org"}}); got != "200" {
		t.Errorf("forgotten password: %q", got)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		files, err := filepath.Glob(filepath.Join(dir, "mails", "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
		if strings.Contains(all.String(), "mod@example.org") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no mail was written: %q", files)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestAccountCommand: a new role lets nobody in who is blocked, and a deleted account takes the digests to its address along.
func TestAccountCommand(t *testing.T) {
	dir := t.TempDir()
	command := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if err := run(t.Context(), append([]string{"account", "-data", dir}, args...), func(string) string { return "" }, &out, io.Discard); err != nil {
			t.Fatalf("account %q: %v", args, err)
		}
		return out.String()
	}
	within := func(do func(directory.Store)) {
		t.Helper()
		store, err := sqlitestore.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		do(store)
	}
	const mail = "jeanne@example.org"
	command("create", "-mail", mail)
	hash := sha256.Sum256([]byte(mail))
	within(func(store directory.Store) {
		site := func() account.Site { return account.Site{Languages: []string{"fr"}} }
		accounts, err := account.New(account.Options{Store: store, Site: site,
			Mailer: account.NewMailer(account.MailerOptions{Store: store, Transport: &account.Folder{}, Site: site})})
		if err != nil {
			t.Fatal(err)
		}
		a, err := accounts.ByMail(t.Context(), mail)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := accounts.SetStanding(t.Context(), a.ID, account.Standing{Role: account.Member, Blocked: true}); err != nil {
			t.Fatal(err)
		}
		err = store.PutRecord(t.Context(), "digest", directory.Record{Key: hex.EncodeToString(hash[:16]) + "/1", Value: []byte(`{"mail":"` + mail + `"}`)})
		if err != nil {
			t.Fatal(err)
		}
	})
	command("role", mail, "moderator")
	if text := command("list"); !regexp.MustCompile(`jeanne@example\.org .*moderator .*blocked`).MatchString(text) {
		t.Errorf("after a new role of somebody blocked: %q", text)
	}
	command("delete", mail)
	within(func(store directory.Store) {
		if left, err := store.Records(t.Context(), "digest", "", 10); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// makeAccount opens a page, sends its form and returns where that leads, or the status.
func makeAccount(t *testing.T, base, path string, fields url.Values) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	hidden := regexp.MustCompile(`name="(csrf|token)" value="([^"]+)"`)
	for _, m := range hidden.FindAllStringSubmatch(string(b), -1) {
		fields.Set(m[1], m[2])
	}
	if res.StatusCode != http.StatusOK {
		return res.Status[:3]
	}
	path, _, _ = strings.Cut(path, "?")
	answer, err := client.PostForm(base+path, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if to := answer.Header.Get("Location"); to != "" {
		return to
	}
	return answer.Status[:3]
}
