package main

import (
	"fmt"
	"strings"
	"testing"
)

// hold keeps back what the page asks for under addresses with a word in it, until [window.release].
func (w *window) hold(word string) {
	w.t.Helper()
	w.is(fmt.Sprintf(`(() => {
		const real = window.fetch, gate = new Promise(open => { window.release = open; });
		window.held = 0;
		window.late = 0;
		window.fetch = async (...what) => {
			if (!String(what[0]).includes(%q)) return real(...what);
			window.held++;
			const answer = await real(what[0], {...what[1], signal: undefined}), text = await answer.text(); // it has come, and the page hears of it later
			await gate;
			return {ok: answer.ok, status: answer.status, text: async () => {
				setTimeout(() => window.late++); // after all that the page does with it
				what[1]?.signal?.throwIfAborted();
				return text;
			}};
		};
		return true;
	})()`, word))
}

// release lets the answers through, and waits until the page has made of them what it does.
func (w *window) release(n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("window.held === %d", n))
	w.is("(release(), true)")
	w.until(fmt.Sprintf("window.late === %d", n))
}

// lateAnswers come when the visitor has gone on.
func lateAnswers(t *testing.T, b *browser) {
	w := b.window(t, look{})
	w.open("/")
	all := w.inStep()
	first := w.num(`document.querySelectorAll("#list > li").length`)

	// More of a list, and before it comes a filter.
	w.hold("after=")
	w.click("[data-more]")
	w.until("window.held === 1")
	w.click(`.chips a[href="/?category=alimentation"]`)
	w.until(`location.search === "?category=alimentation"`)
	some := w.inStep()
	filtered, more := w.slugs(), w.text(`document.querySelector("[data-more]")?.search ?? ""`)
	w.release(1)
	if got := w.slugs(); got != filtered {
		t.Errorf("rows of the old list came into the new one: %d, want %d", len(strings.Fields(got)), len(strings.Fields(filtered)))
	}
	if got := w.text(`document.querySelector("[data-more]")?.search ?? ""`); got != more {
		t.Errorf("the link to more became %s, want %s", got, more)
	}

	// Two presses are one.
	w.open("/")
	w.inStep()
	w.hold("after=")
	w.click("[data-more]")
	w.click("[data-more]")
	w.release(2)
	if n := len(strings.Fields(w.slugs())); n != 2*first {
		t.Errorf("two presses on more make %d rows, want %d", n, 2*first)
	}

	// An entry, and before it comes another list.
	w.open("/")
	w.inStep()
	w.hold("/e/")
	w.click("#list > li a")
	w.until("window.held === 1")
	w.click(`.chips a[href="/?category=alimentation"]`)
	w.until(`location.search === "?category=alimentation"`)
	w.count(some)
	w.release(1)
	if w.is(`document.getElementById("entry")`) || w.where() != "/?category=alimentation" {
		t.Errorf("an entry came over the list, at %s", w.where())
	}

	// Forward to an entry, and back before it comes.
	w.open("/")
	w.inStep()
	w.click("#list > li a")
	w.until(`location.pathname.startsWith("/e/") && document.getElementById("entry")`)
	w.back()
	w.until(`location.pathname === "/" && !document.getElementById("entry")`)
	w.hold("/e/")
	w.forward()
	w.until(`location.pathname.startsWith("/e/") && window.held === 1`)
	w.back()
	w.until(`location.pathname === "/"`)
	w.release(1)
	if w.is(`document.getElementById("entry")`) {
		t.Error("the list's address shows an entry")
	}

	// A filter, and before its list comes an entry.
	w.open("/")
	w.inStep()
	w.hold("category=alimentation")
	w.click(`.chips a[href="/?category=alimentation"]`)
	w.until("window.held === 1")
	w.click("#list > li a")
	w.until(`location.pathname.startsWith("/e/") && document.getElementById("entry")`)
	entry := w.where()
	w.release(1)
	if w.where() != entry {
		t.Errorf("the entry has the address %s", w.where())
	}
	w.click("[data-back]")
	w.until(`location.pathname === "/" && !document.getElementById("entry")`)
	w.count(all)

	// A filter, and before its list comes the way back.
	w.open("/?category=energie")
	w.inStep()
	w.click(`.active a:first-child`)
	w.until(`location.search === ""`)
	w.count(all)
	w.hold("category=alimentation")
	w.click(`.chips a[href="/?category=alimentation"]`)
	w.until("window.held === 1")
	w.back()
	w.until(`location.search === "?category=energie"`)
	w.inStep()
	w.release(1)
	if w.where() != "/?category=energie" {
		t.Errorf("after going back it is %s", w.where())
	}
	w.inStep()
}
