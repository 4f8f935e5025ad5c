package belonging

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"archipel/api/account"
	"archipel/directory"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// shared are domains on which everybody can have an address or a page: an address there proves nothing about the place
// whose website is there. Hosts of the private part of the public suffix list (wordpress.com, github.io) need no line.
var shared = strings.Fields(`
	gmail.com googlemail.com google.com yahoo.com yahoo.fr ymail.com rocketmail.com hotmail.com hotmail.fr live.com live.fr outlook.com outlook.fr msn.com
	icloud.com me.com mac.com aol.com aol.fr gmx.com gmx.net gmx.fr gmx.de web.de mail.com mail.ru yandex.com yandex.ru zoho.com fastmail.com
	proton.me protonmail.com protonmail.ch pm.me tutanota.com tuta.com tuta.io tutamail.com posteo.net posteo.de mailbox.org riseup.net autistici.org
	disroot.org mailo.com net-c.com laposte.net orange.fr wanadoo.fr free.fr sfr.fr neuf.fr bbox.fr cegetel.net club-internet.fr numericable.fr
	aliceadsl.fr dbmail.com voila.fr ouvaton.org zaclys.net lilo.org ecomail.fr vivaldi.net hushmail.com mailfence.com runbox.com startmail.com
	bluewin.ch skynet.be proximus.be telenet.be videotron.ca sympatico.ca libero.it t-online.de

	facebook.com fb.com instagram.com twitter.com x.com linkedin.com youtube.com youtu.be tiktok.com pinterest.com tumblr.com medium.com substack.com
	mastodon.social framapiaf.org mobilizon.fr meetup.com eventbrite.com eventbrite.fr helloasso.com assoconnect.com leetchi.com tipeee.com
	linktr.ee linkedin.fr t.me telegram.org whatsapp.com discord.gg discord.com padlet.com notion.so notion.site airtable.com
	e-monsite.com jimdo.com jimdofree.com jimdosite.com wixsite.com wix.com weebly.com over-blog.com over-blog.fr overblog.com canalblog.com skyrock.com
	unblog.fr eklablog.com eklablog.fr blog4ever.com webnode.com webnode.fr site123.me strikingly.com squarespace.com godaddysites.com pagesperso-orange.fr
	monsite-orange.fr perso.sfr.fr chez-alice.fr free-h.net lautre.net herbesfolles.org framasite.org frama.site frama.io framapad.org framaforms.org
	wordpress.com blogspot.com github.io gitlab.io netlify.app vercel.app sites.google.com goo.gl bit.ly openstreetmap.org wikipedia.org wikidata.org
	gogocarto.fr transiscope.org communecter.org colibris-lafabrique.org pagesjaunes.fr tripadvisor.fr tripadvisor.com booking.com airbnb.fr airbnb.com
	journal-officiel.gouv.fr service-public.fr net1901.org
`)

// registrable is the domain that somebody registered for a host (RFC 5890 A-labels), or empty when the host is an address, a
// public suffix itself, or below one where everybody can have a name.
func registrable(host string) string {
	host = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(host)), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "" {
		return ""
	}
	// Letters that look alike stay different: what is compared is the name that the network asks for.
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil || ascii == "" {
		return ""
	}
	suffix, official := publicsuffix.PublicSuffix(ascii)
	if !official || suffix == ascii {
		return "" // one name is as good as another there, or no such top-level domain is known
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(ascii)
	if err != nil || slices.Contains(shared, domain) || slices.Contains(shared, ascii) {
		return ""
	}
	return domain
}

// ownDomain is the domain of an entry's own website, empty when it has none of its own.
func ownDomain(e *directory.Entry) string {
	if e.Contact == nil || e.Contact.Website == "" {
		return ""
	}
	u, err := url.Parse(e.Contact.Website)
	if err != nil || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return registrable(u.Hostname())
}

// published is the mail address that an entry publishes, in its normal form; empty when it has none.
func published(e *directory.Entry) string {
	if e.Contact == nil {
		return ""
	}
	mail, err := account.NormalMail(e.Contact.Email)
	if err != nil {
		return ""
	}
	return mail
}

// proves reports whether reading the mail of an address shows that somebody is of an entry: it is the published one, or it
// is at the domain of the entry's own website.
func proves(e *directory.Entry, mail string) bool {
	mail, err := account.NormalMail(mail)
	if err != nil {
		return false
	}
	if mail == published(e) {
		return true
	}
	_, host, _ := strings.Cut(mail, "@")
	domain := ownDomain(e)
	return domain != "" && registrable(host) == domain
}
