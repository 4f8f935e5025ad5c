package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
)

// TestPasskeysInABrowser adds a passkey of a device that Chromium plays, signs in with it, and removes it.
func TestPasskeysInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	dir := t.TempDir()
	p := serveIn(t, dir)
	b := startBrowser(t, p)
	for _, l := range []look{{width: 390}, {width: 1280, dark: true, english: true}} {
		t.Run(fmt.Sprint(l.width), func(t *testing.T) {
			w := b.window(t, l)
			w.at = strings.Replace(p.url, "127.0.0.1", "localhost", 1) // a passkey is of a name
			send(w, webauthn.Enable, webauthn.EnableParams{})
			device := send(w, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			}}).AuthenticatorID
			check := func(state string) {
				t.Helper()
				w.accessible(state)
				if wide := w.num("document.documentElement.scrollWidth"); int64(wide) > l.width {
					t.Errorf("%s is %d pixels wide, the window %d", state, wide, l.width)
				}
			}
			to := fmt.Sprintf("p%d@example.org", l.width)
			w.open("/signup")
			w.is(`(document.querySelector("input[name=name]").value = "Camille", document.querySelector("input[name=mail]").value = "` + to + `", document.querySelector("input[name=password]").value = "quatre mots bien longs", true)`)
			w.click(`main form button`)
			w.until(`document.body.textContent.includes("` + to + `")`)
			w.open(linkTo(t, dir, to))
			w.click(`main form button`)
			w.until(`location.pathname === "/account"`)

			w.is(`(document.querySelector("[name=passkey_name]").value = "Téléphone <b>", true)`)
			check("no passkey yet")
			w.click(`[data-passkey=create] button`)
			w.until(`location.search === "?done=passkey" && document.querySelector("#passkeys .rows").textContent.includes("Téléphone <b>")`)
			check("a passkey")
			w.shot(fmt.Sprintf("passkeys%d", l.width))
			keys := send(w, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: device}).Credentials
			if len(keys) != 1 || !keys[0].IsResidentCredential || keys[0].RpID != "localhost" {
				t.Fatalf("the device holds %+v", keys)
			}
			// The same device is not added twice.
			w.click(`[data-passkey=create] button`)
			w.until(`!document.querySelector("[data-passkey=create] .wrong").hidden && document.querySelector("[data-passkey=create] .wrong").textContent.length > 20`)

			w.click(`form[action="/signout"] button`)
			w.until(`location.pathname === "/signin" && !document.querySelector("[data-passkey=get]").hidden`)
			check("sign in")
			w.shot(fmt.Sprintf("signin-passkey%d", l.width))
			w.open("/signin?next=%2Fme%2Fentries")
			w.click(`[data-passkey=get] button`)
			w.until(`location.pathname === "/me/entries"`)

			// Who does not confirm is told that nothing happened.
			w.open("/account")
			w.click(`form[action="/signout"] button`)
			w.until(`location.pathname === "/signin" && !document.querySelector("[data-passkey=get]").hidden`)
			send(w, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device, IsUserVerified: false})
			w.click(`[data-passkey=get] button`)
			w.until(`document.querySelector("[data-passkey=get] .wrong").textContent.length > 20 && !document.querySelector("[data-passkey=get] button").disabled`)
			check("stopped")
			send(w, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device, IsUserVerified: true})
			w.click(`[data-passkey=get] button`)
			w.until(`location.pathname === "/account"`)

			// Removed here, it is refused although the device still has it.
			w.click(`form[action="/account/passkeys/delete"] button`)
			w.until(`location.search === "?done=passkey_deleted" && !document.querySelector("#passkeys .rows")`)
			w.click(`form[action="/signout"] button`)
			w.until(`location.pathname === "/signin" && !document.querySelector("[data-passkey=get]").hidden`)
			w.click(`[data-passkey=get] button`)
			w.until(`!document.querySelector("[data-passkey=get] .wrong").hidden && !document.querySelector("[data-passkey=get] button").disabled`)
			n := 0
			eventually(t, "an answer was 403", func() bool { n += w.forgive("403"); return n > 0 })
			if n != 1 {
				t.Errorf("%d answers were 403, want one", n)
			}
		})
	}
	w := b.window(t, look{withoutScript: true})
	w.at = strings.Replace(p.url, "127.0.0.1", "localhost", 1)
	w.open("/signin")
	if !w.is(`document.querySelector("[data-passkey]").getClientRects().length === 0`) {
		t.Error("without scripts there is a button that does nothing")
	}
}
