package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the program, so that a test can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("ARCHIPEL_TEST_PROGRAM") == "" {
		os.Exit(m.Run())
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if os.Getenv("ARCHIPEL_TEST_PROGRAM") == "stoppable" {
		// The test closes standard input to stop it in good order.
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }()
	}
	env := &environment{getenv: os.Getenv, stdout: os.Stdout, stderr: os.Stderr, now: time.Now}
	if path := os.Getenv("ARCHIPEL_TEST_CLOCK"); path != "" {
		env.now = (&wall{path: path}).now
	}
	if err := runIn(ctx, env, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "archipel:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// program is a running Archipel of its own process.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	url    string
	lines  []string
	stderr *bytes.Buffer
	ended  chan error
}

// start runs the program and waits until it says where it listens.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(os.Args[0], args...), stderr: &bytes.Buffer{}, ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), append([]string{"ARCHIPEL_TEST_PROGRAM=stoppable"}, env...)...)
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	said := make(chan []string, 1)
	go func() {
		var lines []string
		in := bufio.NewScanner(out)
		for len(lines) < 2 && in.Scan() {
			lines = append(lines, in.Text())
		}
		said <- lines
		_, _ = io.Copy(io.Discard, out)
		p.ended <- p.cmd.Wait()
	}()
	select {
	case p.lines = <-said:
	case <-time.After(patience):
		t.Fatalf("the program says nothing; on stderr: %s", p.stderr)
	}
	for _, line := range p.lines {
		if at := strings.Index(line, "http://"); at >= 0 {
			p.url = line[at:]
		}
	}
	if p.url == "" {
		t.Fatalf("it does not say where it listens: %q; on stderr: %s", p.lines, p.stderr)
	}
	return p
}

func serveIn(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	return start(t, nil, append([]string{"serve", "-listen", "127.0.0.1:0", "-data", dir}, args...)...)
}

// kill ends it as a power cut would.
func (p *program) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		select {
		case <-p.ended:
		case <-time.After(patience):
		}
	}
}

// stop ends it in good order.
func (p *program) stop() error {
	p.stdin.Close()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		return errors.New("it does not stop")
	}
}

func (p *program) get(path string) (int, string) {
	p.t.Helper()
	res, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// matched is numberMatched of the entries.
func (p *program) matched(query string) int {
	p.t.Helper()
	code, body := p.get("/api/collections/entries/items?limit=1&" + query)
	var doc struct{ NumberMatched int }
	if err := json.Unmarshal([]byte(body), &doc); err != nil || code != 200 {
		p.t.Fatalf("%d %s %v", code, body, err)
	}
	return doc.NumberMatched
}

// caughtUp waits until all that reads the log is at its end: the index of words is a moment behind what lists and maps show.
func (p *program) caughtUp() {
	p.t.Helper()
	eventually(p.t, "whoever reads the log is at its end", func() bool {
		_, body := p.get("/readyz")
		var doc struct {
			Head      int64
			Followers []struct{ At int64 }
		}
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			p.t.Fatalf("/readyz: %s %v", body, err)
		}
		for _, f := range doc.Followers {
			if f.At < doc.Head {
				return false
			}
		}
		return len(doc.Followers) > 0
	})
}

// command runs the program to its end.
func archipel(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, func(string) string { return "" }, &out, &errs)
	return out.String(), errs.String(), err
}

// patience is how long is waited for what must come: a machine may be slow and busy, and a server that missed an answer asks
// again after a minute or two.
const patience = 4 * time.Minute

// eventually waits for what another process does; how long that takes is for benchmarks to say.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// places writes a CSV file of n places and returns its path.
func places(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lieux.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := csv.NewWriter(f)
	w.Comma = ';'
	_ = w.Write([]string{"ID", "Nom", "Adresse", "Code postal", "Commune", "Latitude", "Longitude", "Catégorie"})
	for i := range n {
		_ = w.Write([]string{fmt.Sprint(i), fmt.Sprintf("Lieu %d", i), "1 rue du Port", "42000", "Saint-Étienne", fmt.Sprintf("%.5f", 45+float64(i%100)/200), fmt.Sprintf("%.5f", 4+float64(i/100)/200), "coworking"})
	}
	w.Flush()
	if err := errors.Join(w.Error(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFromAnEmptyFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	p := serveIn(t, dir)
	if len(p.lines) != 2 || !strings.Contains(p.lines[1], dir) {
		t.Errorf("it says %q", p.lines)
	}
	code, body := p.get("/?lang=fr")
	if code != 200 || !strings.Contains(body, "import") || !strings.Contains(body, "-demo") {
		t.Errorf("the first page does not explain what to do: %d", code)
	}
	if err := p.stop(); err != nil {
		t.Errorf("stopping: %v; %s", err, p.stderr)
	}
}

func TestDemo(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir, "-demo")
	first := p.matched("")
	if first < 180 {
		t.Fatalf("the demonstration has %d entries", first)
	}
	for _, kind := range []string{"organisation", "place", "initiative", "event"} {
		if p.matched("kind="+kind) == 0 {
			t.Errorf("no %s", kind)
		}
	}
	if code, body := p.get("/?lang=fr"); code != 200 || !strings.Contains(body, "fictives") {
		t.Error("it does not say that it is fictitious")
	}
	p.kill()
	p = serveIn(t, dir, "-demo")
	if n := p.matched(""); n != first {
		t.Errorf("after a second start: %d entries, before %d", n, first)
	}
}

func TestImportWhileServing(t *testing.T) {
	dir, file := t.TempDir(), places(t, 700)
	p := serveIn(t, dir)
	importing := []string{"import", "-data", dir, "-source", "Essai", "-licence", "etalab-2.0", file}
	out, _, err := archipel(t, importing...)
	if err != nil || !strings.Contains(out, "created        700") {
		t.Fatalf("%v\n%s", err, out)
	}
	imported := time.Now()
	eventually(t, "the server shows all of them", func() bool { return p.matched("") == 700 })
	t.Logf("shown %v after the import", time.Since(imported)) // two seconds are wanted; a loaded machine may take longer
	out, _, err = archipel(t, append(importing, "-json")...)
	var report struct{ Batch string }
	if err != nil || json.Unmarshal([]byte(out), &report) != nil || strings.Contains(out, `"created": 700`) {
		t.Fatalf("the second run: %v\n%s", err, out)
	}
	eventually(t, "words find one of them, in the last of the rows", func() bool { return p.matched("q=lieu+699") == 1 })
	// What was acknowledged survives a power cut.
	p.kill()
	p = serveIn(t, dir)
	if n := p.matched(""); n != 700 {
		t.Errorf("after kill -9: %d of 700", n)
	}
}

func TestImportUndo(t *testing.T) {
	dir, file := t.TempDir(), places(t, 20)
	out, _, err := archipel(t, "import", "-data", dir, "-source", "Essai", "-json", file)
	var report struct{ Batch string }
	if err != nil || json.Unmarshal([]byte(out), &report) != nil || report.Batch == "" {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, _, err := archipel(t, "import", "-data", dir, "-list"); err != nil || !strings.Contains(out, report.Batch) || !strings.Contains(out, "20 created") {
		t.Errorf("the list of imports: %v\n%s", err, out)
	}
	if out, _, err = archipel(t, "import", "-data", dir, "-undo", report.Batch); err != nil || !strings.Contains(out, "20 entries removed") {
		t.Fatalf("%v\n%s", err, out)
	}
	p := serveIn(t, dir)
	if n := p.matched(""); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestBackupRestoreAndExport(t *testing.T) {
	dir, file := t.TempDir(), places(t, 30)
	if _, _, err := archipel(t, "import", "-data", dir, "-source", "Essai", file); err != nil {
		t.Fatal(err)
	}
	if _, _, err := archipel(t, "site", "-data", dir, "name=Archipel Loire", "languages=fr,en", "bounds=3.6,45.2,4.8,46.3"); err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "all.gz")
	again := t.TempDir()
	for _, args := range [][]string{{"backup", "-data", dir, saved}, {"restore", "-data", again, saved}} {
		if _, _, err := archipel(t, args...); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	if _, _, err := archipel(t, "restore", "-data", again+"/other", file); err == nil {
		t.Error("a CSV file was taken for a backup")
	}
	var files [2]string
	for i, d := range []string{dir, again} {
		out, _, err := archipel(t, "export", "-data", d)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = out
	}
	if files[0] != files[1] || strings.Count(files[0], `"Feature"`) != 30 {
		t.Error("the restored directory exports something else")
	}
	if out, _, err := archipel(t, "site", "-data", again); err != nil || !strings.Contains(out, "Archipel Loire") {
		t.Errorf("the site's name is lost: %v %s", err, out)
	}
}

func TestBadCommandLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("ARCHIPEL_LISTEN=127.0.0.1:0\nNO_SUCH=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "archipel.db"), bytes.Repeat([]byte("not a database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := []string{"serve", "-listen", "127.0.0.1:0", "-data", t.TempDir()}
	cases := []struct {
		name string
		args []string
		want string
	}{
		{"command", []string{"fly"}, `no command "fly"`},
		{"flag", []string{"serve", "-fly"}, "fly"},
		{"argument", append(listen, "x"), `"x"`},
		{"config file", append(listen, "-config", file), "NO_SUCH"},
		{"no config file", append(listen, "-config", file+"x"), "-config"},
		{"public URL", append(listen, "-public-url", "example.org"), "-public-url"},
		{"log level", append(listen, "-log", "loud"), "-log"},
		{"port", []string{"serve", "-listen", "127.0.0.1:99999", "-data", t.TempDir()}, "-listen"},
		{"basemap", append(listen, "-basemap", file), "-basemap"},
		{"taxonomy", append(listen, "-taxonomy", file+"x"), "taxonomy"},
		{"mongo", append(listen, "-mongo", "nonsense://"), "mongo"},
		{"damaged database", []string{"serve", "-listen", "127.0.0.1:0", "-data", broken}, "archipel.db"},
		{"data is a file", []string{"serve", "-listen", "127.0.0.1:0", "-data", file}, "file"},
		{"import nothing", []string{"import"}, "FILE"},
		{"import what is not there", []string{"import", "-data", t.TempDir(), file + "x"}, "no such file"},
		{"export format", []string{"export", "-data", t.TempDir(), "x.docx"}, "docx"},
		{"site field", []string{"site", "-data", t.TempDir(), "colour=red"}, "colour"},
		{"site time zone", []string{"site", "-data", t.TempDir(), "timezone=Paris"}, "timezone"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := archipel(t, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.want)
			}
		})
	}
	for _, args := range [][]string{{"help"}, {"-h"}, {"version"}} {
		if out, _, err := archipel(t, args...); err != nil || !strings.Contains(strings.ToLower(out), "archipel") {
			t.Errorf("%v: %v %q", args, err, out)
		}
	}
}

func TestConfigPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "archipel.env")
	if err := os.WriteFile(file, []byte("# a comment\nexport ARCHIPEL_LOG='warn'\nARCHIPEL_LISTEN=\"file:1\"\nARCHIPEL_DATA=from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := &environment{getenv: func(k string) string {
		return map[string]string{"ARCHIPEL_CONFIG": file, "ARCHIPEL_LISTEN": "env:1", "ARCHIPEL_DATA": "from-env"}[k]
	}, stderr: io.Discard}
	c, rest, err := parse(flags("serve", env), env, []string{"one", "-data", "from-flag", "two"})
	if err != nil {
		t.Fatal(err)
	}
	if c["data"] != "from-flag" || c["listen"] != "env:1" || c["log"] != "warn" || c["log-format"] != "text" || strings.Join(rest, " ") != "one two" {
		t.Errorf("got %v %v", c, rest)
	}
}
