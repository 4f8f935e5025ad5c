// The island: takes over a page that works without it, so that filters, the
// map and entries change in place. Everything it shows stands in the URL.
import { Suggestion, completeField } from "./complete";
import { Box, Config, LiveMap, Selected, formatBox, parseBox, readConfig } from "./config";

const id = <T extends HTMLElement>(name: string) => document.getElementById(name) as T | null;

class Island {
  private readonly split = document.querySelector<HTMLElement>("main.split")!;
  private readonly column = this.split.querySelector<HTMLElement>(".column")!;
  private readonly browse = id("browse");
  private readonly text: Record<string, string>;
  private map: LiveMap | null = null;
  private starting = false;
  private listURL = location.pathname + location.search; // what the list in the page shows
  private scroll = 0; // of the list, while an entry stands in its place
  private pending: AbortController | null = null; // what asks for the list
  private turn = 0; // the visitor's newest step between list and entries; an entry of an older one is dropped when it arrives
  private movedLast = false; // the newest history entry is a move of the map

  constructor(private readonly config: Config) {
    this.text = config.text;
  }

  start(): void {
    document.documentElement.classList.add("js");
    history.replaceState({ ...history.state, inside: false }, "");
    document.addEventListener("click", (e) => this.click(e));
    addEventListener("popstate", () => void this.route());
    document.addEventListener("keydown", (e) => this.escape(e));
    id<HTMLFormElement>("search")?.addEventListener("submit", (e) => this.submit(e));
    completeField(this.config, () => this.listURL, (s) => void this.choose(s));
    this.prepareLocate();
    this.preparePrint();
    this.followCards();
    for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-view-link]"))
      link.addEventListener("click", (e) => {
        e.preventDefault();
        this.setView(link.dataset.viewLink!);
      });
    id("follow")?.addEventListener("change", () => this.offerSearchHere(false));
    id("search-here")?.addEventListener("click", () => this.map && void this.searchBox(this.map.box()));

    const button = id("show-live");
    button?.addEventListener("click", () => void this.startMap(true));
    const saveData = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
    if (this.config.light || saveData) button!.hidden = false;
    else this.startMapWhenSeen();
  }

  // The map

  private startMapWhenSeen(): void {
    const canvas = id("canvas")!;
    document.body.classList.add("live"); // the picture's buttons and numbers are not needed any more
    const look = new IntersectionObserver((entries) => {
      if (!entries.some((e) => e.isIntersecting && e.intersectionRect.height > 40)) return;
      look.disconnect();
      void this.startMap(false);
    }, { threshold: [0, 0.1, 0.5] }); // hidden, it may still show a pixel
    look.observe(canvas);
  }

  private async startMap(asked: boolean): Promise<void> {
    if (this.map || this.starting) return;
    this.starting = true;
    const canvas = id("canvas")!;
    const live = (on: boolean) => [id("map")!, document.body].forEach((e) => e.classList.toggle("live", on));
    try {
      const [module] = await Promise.all([import(this.config.module) as Promise<typeof import("./livemap")>, loadStyle(this.config.style)]);
      live(true); // first: the map measures its place when it starts
      this.map = module.start(canvas, this.config, {
        moved: (box) => this.mapMoved(box),
        open: (slug) => void this.openEntry("/e/" + encodeURIComponent(slug), true),
        hover: (entry) => this.lightCard(entry),
        crowd: (box) => void this.showCrowd(box),
      });
    } catch (e) {
      console.error(e);
      this.starting = false;
      live(false);
      id("show-live")!.hidden = false; // the picture stays; one can try again
      return;
    }
    id("show-live")!.hidden = true;
    const results = id("results");
    if (results) {
      this.map.tiles(results.dataset.tiles!);
      id("follow")!.parentElement!.hidden = false;
    } else {
      this.map.tiles("/tiles/entries/{z}/{x}/{y}.mvt");
    }
    if (asked) canvas.querySelector<HTMLElement>(".leaflet-container")?.focus();
    this.map.select(this.selected());
  }

  private mapMoved(box: Box): void {
    if (!this.browse || this.browse.hidden) return;
    if (id<HTMLInputElement>("follow")?.checked) void this.searchBox(box);
    else this.offerSearchHere(true);
  }

  private offerSearchHere(moved: boolean): void {
    const button = id("search-here");
    const follow = id<HTMLInputElement>("follow");
    if (!button || !follow) return;
    button.hidden = follow.checked || !moved;
  }

  private async searchBox(box: Box): Promise<void> {
    const url = new URL(this.listURL, location.origin);
    url.searchParams.set("bbox", formatBox(box));
    url.searchParams.delete("after");
    this.offerSearchHere(false);
    if (this.browse?.hidden) this.showList();
    if (await this.load(url, { history: this.movedLast ? "replace" : "push", keepMap: true })) this.movedLast = true;
  }

  /** Lists those who share an address. */
  private async showCrowd(box: Box): Promise<void> {
    await this.searchBox(box);
    if (this.scroller() !== this.column) this.setView("list");
    id("count")?.focus();
  }

  // The list

  private click(e: MouseEvent): void {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const link = (e.target as Element).closest?.<HTMLAnchorElement>("a[href]");
    if (!link || link.origin !== location.origin) return;
    if (link.matches("[data-filter]") && this.browse) {
      e.preventDefault();
      this.movedLast = false;
      void this.load(new URL(link.href), { history: "push", focus: focusKey(link) });
    } else if (link.matches("[data-more]") && this.browse && this.live) {
      e.preventDefault();
      void this.more(link);
    } else if (link.matches("[data-entry]")) {
      e.preventDefault();
      void this.openEntry(link.pathname, true);
    } else if (link.matches("[data-back]") && this.browse) {
      e.preventDefault();
      if (history.state?.inside) history.back();
      else {
        history.pushState({ inside: true }, "", this.listURL);
        this.showList();
      }
    }
  }

  /** Escape leaves an entry for the list, as the link above it does. */
  private escape(e: KeyboardEvent): void {
    if (e.key !== "Escape" || e.defaultPrevented || e.isComposing || !this.browse?.hidden) return;
    if ((e.target as Element).closest("input, textarea, select, [role=listbox], dialog")) return;
    id("entry")?.querySelector<HTMLElement>("[data-back]")?.click();
  }

  private submit(e: SubmitEvent): void {
    if (!this.browse) return;
    e.preventDefault();
    const url = new URL("/", location.origin);
    for (const [key, value] of new FormData(e.target as HTMLFormElement)) if (typeof value === "string" && value.trim()) url.searchParams.append(key, value.trim());
    this.movedLast = false;
    void this.load(url, { history: "push", focus: "#count", submitted: true });
  }

  /** What the search field was completed to: an entry opens, a category or a place changes the list. */
  private async choose(s: Suggestion): Promise<void> {
    if (!this.browse) return;
    const url = new URL(s.url, location.origin);
    const field = id<HTMLInputElement>("q")!;
    this.movedLast = false;
    if (s.type === "entry") await this.openEntry(url.pathname, true);
    else if (!(await this.load(url, { history: "push", focus: "#count" }))) return;
    field.value = new URL(this.listURL, location.origin).searchParams.get("q") ?? "";
  }

  /** Loads the list of a URL into the page. */
  private async load(url: URL, how: { history: "push" | "replace" | "none"; keepMap?: boolean; focus?: string; submitted?: boolean }): Promise<boolean> {
    if (!this.live) {
      location.href = url.href; // the picture of the map and its links change as well
      return false;
    }
    this.pending?.abort();
    const pending = (this.pending = new AbortController());
    if (!how.keepMap) this.turn++; // a map that still moves does not take back the entry that was pressed on it
    const results = id("results")!;
    results.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => this.say(this.text.waiting!), 2000);
    try {
      const next = await fetchFragment(url, pending.signal, how.submitted);
      if (how.history === "push") history.pushState({ inside: true }, "", url);
      if (how.history === "replace") history.replaceState(history.state, "", url);
      this.listURL = url.pathname + url.search;
      const from = results.scrollTop;
      results.replaceWith(next);
      next.scrollTop = from;
      this.syncForm(url);
      document.title = next.dataset.title ?? document.title;
      this.freshen(next);
      const focus = how.focus && (next.querySelector<HTMLElement>(how.focus) ?? id("count"));
      if (focus) focus.focus({ preventScroll: how.focus !== "#count" });
      this.say(`${this.text.list_updated} ${id("count")?.textContent ?? ""}`);
      if (this.map) {
        this.map.tiles(next.dataset.tiles!);
        const box = parseBox(next.dataset.bounds);
        // A place that was asked for is shown, even when nothing is there.
        const framed = url.searchParams.has("bbox") || url.searchParams.has("zone");
        if (!how.keepMap && box && (framed || Number(next.dataset.total) > 0)) this.map.fit(box);
      }
      return true;
    } catch (e) {
      if (pending.signal.aborted) return false;
      console.error(e);
      results.removeAttribute("aria-busy");
      this.say(this.text.failed!, true);
      return false;
    } finally {
      clearTimeout(slow);
    }
  }

  /** Leaves the list as it is, whatever was asked for. */
  private forget(): void {
    this.pending?.abort();
    id("results")?.removeAttribute("aria-busy");
  }

  private async more(link: HTMLAnchorElement): Promise<void> {
    link.setAttribute("aria-busy", "true");
    try {
      const next = await fetchFragment(new URL(link.href));
      if (!link.isConnected) return; // the list is another one by now, or has these already
      const added = [...next.querySelectorAll("#list > li")];
      id("list")!.append(...added);
      const place = link.closest(".next")!;
      const following = next.querySelector(".next");
      if (following) place.replaceWith(following);
      else place.remove();
      added[0]?.querySelector<HTMLElement>("a")?.focus();
    } catch {
      if (link.isConnected && !this.browse!.hidden) location.href = link.href;
      else link.removeAttribute("aria-busy");
    }
  }

  /** Keeps the other filters in the search form, as the server writes them. */
  private syncForm(url: URL): void {
    const form = id<HTMLFormElement>("search");
    if (!form) return;
    for (const old of form.querySelectorAll("input[type=hidden]")) old.remove();
    for (const [key, value] of url.searchParams) {
      if (key === "q" || key === "after") continue;
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name: key, value });
      form.append(input);
    }
    const field = id<HTMLInputElement>("q")!;
    if (document.activeElement !== field) field.value = url.searchParams.get("q") ?? "";
    for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-view-link]")) {
      const to = new URL(url);
      to.searchParams.delete("view");
      if (link.dataset.viewLink === "map") to.searchParams.set("view", "map");
      link.href = to.pathname + to.search;
    }
  }

  // One entry in the list's place

  private async openEntry(path: string, push: boolean): Promise<void> {
    const turn = ++this.turn;
    try {
      const next = await fetchFragment(new URL(path, location.origin));
      if (turn !== this.turn) return;
      this.forget(); // a list that came after it would give it its own address
      if (push) history.pushState({ inside: true }, "", path);
      if (this.browse && !this.browse.hidden) {
        this.scroll = this.scroller().scrollTop;
        this.browse.hidden = true;
      }
      const old = id("entry");
      if (old) old.replaceWith(next);
      else this.column.prepend(next);
      this.split.classList.add("opened");
      this.scroller().scrollTop = 0;
      document.title = next.dataset.title ?? document.title;
      next.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
      this.map?.highlight(null);
      this.map?.select(this.selected());
    } catch (e) {
      if (turn !== this.turn) return;
      console.error(e);
      location.href = path; // the page itself says what is wrong
    }
  }

  private showList(): void {
    this.turn++;
    const entry = id("entry");
    const slug = entry?.querySelector<HTMLAnchorElement>(".provenance a[href*='/history']")?.pathname.replace(/\/history$/, "");
    entry?.remove();
    this.browse!.hidden = false;
    this.split.classList.remove("opened");
    document.title = id("results")?.dataset.title ?? document.title;
    this.scroller().scrollTop = this.scroll;
    this.map?.select(null);
    this.map?.resized();
    const link = slug && this.browse!.querySelector<HTMLElement>(`a[href="${CSS.escape(slug).replace(/\\\//g, "/")}"]`);
    (link || id("count"))?.focus({ preventScroll: true });
  }

  /** Shows what the URL says, after the visitor went back or forth. */
  private async route(): Promise<void> {
    const { pathname, search } = location;
    this.movedLast = false;
    this.turn++;
    this.forget();
    if (/^\/e\/[^/]+$/.test(pathname)) return this.openEntry(pathname, false);
    if (pathname !== "/" || !this.browse) return location.reload();
    if (this.browse.hidden) this.showList();
    this.split.dataset.view = new URLSearchParams(search).get("view") === "map" ? "map" : "list";
    this.markView();
    if (pathname + search !== this.listURL) await this.load(new URL(location.href), { history: "none" });
  }

  private selected(): Selected | null {
    const json = id("entry")?.dataset.selected;
    return json ? (JSON.parse(json) as Selected) : null;
  }

  /** On a wide screen the column scrolls, on a phone the page. */
  private scroller(): Element {
    return getComputedStyle(this.column).overflowY === "auto" ? this.column : (document.scrollingElement ?? document.documentElement);
  }

  // List and map in step

  private followCards(): void {
    const over = (e: Event) => {
      const card = (e.target as Element).closest?.<HTMLElement>(".card[data-slug]");
      if (!card || !this.map) return;
      const [lon, lat] = (card.dataset.at ?? "").split(",").map(Number);
      if (lon !== undefined && lat !== undefined && card.dataset.at) this.map.highlight(card.dataset.slug!, [lon, lat], card.querySelector(".mark"));
    };
    const out = (e: Event) => {
      if ((e.target as Element).closest?.(".card")) this.map?.highlight(null);
    };
    this.column.addEventListener("mouseover", over);
    this.column.addEventListener("focusin", over);
    this.column.addEventListener("mouseout", out);
    this.column.addEventListener("focusout", out);
  }

  private lightCard(entry: string | null): void {
    for (const lit of this.column.querySelectorAll(".card.lit")) lit.classList.remove("lit");
    if (!entry) return;
    const card = this.column.querySelector(`.card[data-slug="${CSS.escape(entry)}"]`);
    card?.classList.add("lit");
    card?.scrollIntoView({ block: "nearest" });
  }

  // Small things

  /** The picture of the map has given way to the live one, or will where it is not in sight. */
  private get live(): boolean {
    return document.body.classList.contains("live");
  }

  private setView(view: string): void {
    const url = new URL(this.listURL, location.origin);
    url.searchParams.delete("view");
    if (view === "map") url.searchParams.set("view", "map");
    this.split.dataset.view = view;
    this.listURL = url.pathname + url.search;
    history.replaceState(history.state, "", url);
    this.syncForm(url);
    this.markView();
    if (view === "map") this.map?.resized();
    else scrollTo(0, 0);
  }

  private markView(): void {
    for (const link of document.querySelectorAll<HTMLElement>("[data-view-link]"))
      if (link.dataset.viewLink === this.split.dataset.view) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
  }

  private prepareLocate(): void {
    const button = id<HTMLButtonElement>("locate");
    if (!button || !("geolocation" in navigator)) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      this.say(this.text.locating!);
      button.disabled = true;
      navigator.geolocation.getCurrentPosition(
        ({ coords }) => {
          button.disabled = false;
          const url = new URL(this.listURL, location.origin);
          for (const key of ["bbox", "after", "zone", "place"]) url.searchParams.delete(key);
          // about 100 m: enough to find what is near, too coarse to tell where somebody lives
          url.searchParams.set("near", `${coords.longitude.toFixed(3)},${coords.latitude.toFixed(3)}`);
          url.searchParams.set("sort", "distance");
          void this.load(url, { history: "push", focus: "#count" });
        },
        () => {
          button.disabled = false;
          this.say(this.text.location_failed!, true);
        },
        { timeout: 15000, maximumAge: 300000 },
      );
    });
  }

  /** The picture of the map is for paper: it must show what the list shows. */
  private preparePrint(): void {
    const picture = id<HTMLImageElement>("static-map");
    const fresh = async () => {
      const want = id("results")?.dataset.map;
      if (!want || !picture || picture.getAttribute("src") === want) return;
      picture.closest("picture")?.querySelector("source")?.remove();
      picture.src = want;
      await picture.decode().catch(() => undefined);
    };
    addEventListener("beforeprint", () => void fresh());
    document.addEventListener("click", (e) => {
      if ((e.target as Element).closest?.("#print")) void fresh().then(() => print());
    });
    this.freshen(document.body);
  }

  /** What every new list needs: its print button works, since the island is there. */
  private freshen(within: Element): void {
    for (const button of within.querySelectorAll<HTMLElement>("#print")) button.hidden = false;
  }

  private say(message: string, visible = false): void {
    const box = id("announce");
    if (!box) return;
    box.classList.toggle("hidden", !visible);
    box.classList.toggle("toast", visible);
    box.textContent = message;
    if (visible) setTimeout(() => this.say(""), 8000);
  }
}

/** A selector that finds the same control in the new list, so that the focus stays where it was. */
function focusKey(link: HTMLAnchorElement): string {
  const item = link.closest("li");
  if (!item?.parentElement || !link.matches(".chip, .kind")) return "#count";
  const row = [...item.parentElement.classList].map((c) => "." + c).join("");
  return `ul${row} > li:nth-child(${[...item.parentElement.children].indexOf(item) + 1}) > a`;
}

async function fetchFragment(url: URL, signal?: AbortSignal, submitted = false): Promise<HTMLElement> {
  const from = new URL(url);
  from.searchParams.set("fragment", "1");
  if (submitted) from.searchParams.set("submitted", "1"); // an address may be looked for
  const response = await fetch(from, { headers: { Accept: "text/html" }, ...(signal ? { signal } : {}) });
  if (!response.ok) throw new Error(`${from}: ${response.status}`);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  const element = template.content.firstElementChild;
  if (!(element instanceof HTMLElement) || !element.matches("#results, #entry")) throw new Error(`${from}: not a fragment`);
  return element;
}

function loadStyle(href: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = href;
    link.onload = () => resolve();
    link.onerror = () => reject(new Error(href));
    document.head.append(link);
  });
}

const config = readConfig();
if (config && document.querySelector("main.split")) new Island(config).start();
