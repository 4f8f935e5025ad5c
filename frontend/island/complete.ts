// The search field completes places, categories and entries while somebody types: a combobox with a listbox popup, as
// the WAI-ARIA Authoring Practices have it (list autocomplete, manual selection). Without an answer it stays a field.
import type { Config } from "./config";
import { drawShape, svg } from "./pins";

/** What the field may become, as GET /complete tells it. */
export interface Suggestion {
  type: "place" | "category" | "entry";
  label: string;
  hint?: string;
  url: string;
  kind?: string;
  id?: string;
}

const pause = 120; // ms without a key before the server is asked

/** Takes over the search field. here gives the list's URL, whose filters a suggestion keeps. */
export function completeField(config: Config, here: () => string, choose: (s: Suggestion) => void): void {
  const field = document.getElementById("q") as HTMLInputElement | null;
  const popup = document.getElementById("suggestions");
  const status = document.getElementById("suggested");
  if (field?.form && popup && status) new Combobox(field, popup, status, config, here, choose);
}

class Combobox {
  private options: HTMLElement[] = [];
  private offers: Suggestion[] = [];
  private active = -1;
  private timer = 0;
  private asking: AbortController | null = null;

  constructor(
    private readonly field: HTMLInputElement,
    private readonly popup: HTMLElement,
    private readonly status: HTMLElement,
    private readonly config: Config,
    private readonly here: () => string,
    private readonly choose: (s: Suggestion) => void,
  ) {
    for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": popup.id }))
      field.setAttribute(name, value);
    field.addEventListener("input", () => this.typed(pause));
    field.addEventListener("keydown", (e) => this.key(e));
    field.addEventListener("blur", () => this.leave());
    field.form!.addEventListener("submit", () => this.leave());
    popup.addEventListener("mousedown", (e) => e.preventDefault()); // the field keeps the focus
    popup.addEventListener("click", (e) => {
      const option = (e.target as Element).closest<HTMLElement>("[role=option]");
      if (option) this.take(this.options.indexOf(option));
    });
  }

  private get open(): boolean {
    return !this.popup.hidden;
  }

  private get text(): string {
    return this.field.value.trim();
  }

  private typed(after: number): void {
    this.stopAsking();
    this.activate(-1);
    if (this.text.length < 2) return this.close();
    this.timer = setTimeout(() => void this.ask(), after);
  }

  private async ask(): Promise<void> {
    const asking = (this.asking = new AbortController());
    const text = this.text;
    const url = new URL(this.here(), location.origin);
    url.pathname = "/complete";
    url.searchParams.set("q", text);
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" }, signal: asking.signal });
      if (!response.ok) throw new Error(`${response.status}`);
      const offers = (await response.json()) as Suggestion[];
      if (!asking.signal.aborted) this.show(offers, text);
    } catch {
      if (!asking.signal.aborted) this.close(); // the field still searches
    }
  }

  private show(offers: Suggestion[], text: string): void {
    this.popup.dataset.for = text;
    this.offers = [];
    this.options = [];
    this.active = -1;
    this.field.removeAttribute("aria-activedescendant");
    for (const old of this.popup.querySelectorAll("[role=option]")) old.remove();
    for (const group of this.popup.querySelectorAll<HTMLElement>("[role=group]")) group.hidden = true;
    for (const s of offers) {
      const group = this.popup.querySelector<HTMLElement>(`[role=group][data-type="${s.type}"]`);
      if (!group) continue;
      if (group.hidden) this.popup.append(group); // in the order of the answer
      group.hidden = false;
      const option = this.draw(s);
      group.append(option);
      this.options.push(option);
      this.offers.push(s);
    }
    this.popup.scrollTop = 0;
    const n = this.offers.length;
    if (n > 0) this.reopen();
    else this.close();
    const { one, other, none } = this.popup.dataset;
    const form = new Intl.PluralRules(this.config.lang).select(n) === "one" ? one : other;
    this.status.textContent = (n === 0 ? none : form!.replace("{n}", String(n))) ?? "";
  }

  private draw(s: Suggestion): HTMLElement {
    const option = document.createElement("div");
    option.id = `suggestion-${this.options.length}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    const label = document.createElement("span");
    label.className = "label";
    label.textContent = s.label;
    label.dir = "auto";
    option.append(this.picture(s), label);
    if (s.hint) {
      const hint = document.createElement("span");
      hint.className = "hint";
      hint.textContent = s.hint;
      option.append(" ", hint);
    }
    return option;
  }

  private picture(s: Suggestion): SVGElement {
    if (s.type !== "place") return drawShape(this.config, s.kind ?? "organisation", s.id ?? "");
    return svg("svg", { class: "i", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("use", { href: `${this.config.sprite}#map-pin` }));
  }

  private key(e: KeyboardEvent): void {
    if (e.isComposing || e.ctrlKey || e.metaKey) return;
    const last = this.options.length - 1;
    switch (e.key) {
      case "ArrowDown":
      case "ArrowUp": {
        e.preventDefault();
        const down = e.key === "ArrowDown";
        if (e.altKey && !down) return this.close();
        if (!this.open) {
          if (this.text.length < 2) return;
          if (this.popup.dataset.for !== this.text || last < 0) return this.typed(0);
          this.reopen();
          if (e.altKey) return;
        }
        this.stopAsking(); // what is seen is what is chosen from
        if (down) this.activate(this.active < last ? this.active + 1 : 0);
        else this.activate(this.active > 0 ? this.active - 1 : last);
        return;
      }
      case "Enter":
        if (!this.open || this.active < 0) return;
        e.preventDefault();
        return this.take(this.active);
      case "Escape":
        if (!this.open) return; // the browser clears the field
        e.preventDefault();
        e.stopPropagation();
        return this.leave();
      case "Tab":
        return this.leave();
      case "Home":
      case "End":
      case "ArrowLeft":
      case "ArrowRight":
        return this.activate(-1); // back to the text, where the cursor moves
    }
  }

  private activate(n: number): void {
    this.options[this.active]?.setAttribute("aria-selected", "false");
    this.active = n;
    const option = this.options[n];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.field.setAttribute("aria-activedescendant", option.id);
    else this.field.removeAttribute("aria-activedescendant");
  }

  private take(n: number): void {
    const offer = this.offers[n];
    if (!offer) return;
    this.leave();
    this.choose(offer);
  }

  private reopen(): void {
    this.popup.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
  }

  private close(): void {
    this.activate(-1);
    this.popup.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
  }

  /** Closes, and lets no late answer open it again. */
  private leave(): void {
    this.stopAsking();
    this.close();
    this.status.textContent = "";
  }

  private stopAsking(): void {
    clearTimeout(this.timer);
    this.asking?.abort();
  }
}
