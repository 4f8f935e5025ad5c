// Forms that add and change entries work without scripts. Here: what is typed is kept as it is typed, entries that may be
// the same are shown meanwhile, and a pin on a map says where it is.
import { readConfig } from "./config";
import { startHours } from "./hours";

const form = document.getElementById("posting") as HTMLFormElement | null;
const field = (name: string) => form?.elements.namedItem(name) as HTMLInputElement | null;

// A form has a button called "action", which stands before the form's own property of that name: it is read as an attribute.
function later(wait: number, f: () => void): () => void {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(f, wait);
  };
}

/** Keeps a draft while it is typed. A picture is sent with the form only. */
function keepDraft(form: HTMLFormElement): void {
  const path = new URL(form.getAttribute("action")!, location.href).pathname;
  if (!/^\/add\/[A-Z2-7]{26}\//.test(path)) return;
  let sending = false;
  const keep = later(1500, () => {
    if (sending) return;
    const data = new FormData(form);
    data.delete("picture");
    data.delete("place");
    data.set("action", "keep");
    sending = true;
    fetch(path, { method: "POST", body: data, credentials: "same-origin" })
      .catch(() => undefined) // the next word tries again, and the button keeps everything
      .finally(() => (sending = false));
  });
  form.addEventListener("input", keep);
  form.addEventListener("submit", () => (sending = true));
}

/** Shows entries that may be the same while name and contact are typed. */
function watchSame(form: HTMLFormElement): void {
  const box = document.getElementById("same");
  if (!box || form.elements.namedItem("version")) return;
  const draft = /^\/add\/([A-Z2-7]{26})\//.exec(new URL(form.getAttribute("action")!, location.href).pathname)?.[1] ?? "";
  let turn = 0;
  const look = later(400, () => {
    const query = new URLSearchParams({ draft });
    for (const [key, value] of new FormData(form))
      if (typeof value === "string" && value && ["kind", "name", "contact.phone", "contact.email", "contact.website", "lon", "lat", "address.addressLocality"].includes(key)) query.set(key, value);
    const mine = ++turn;
    fetch("/add/same?" + query, { credentials: "same-origin" })
      .then((r) => (r.ok ? r.text() : null))
      .then((html) => {
        if (html === null || mine !== turn || box.contains(document.activeElement)) return;
        box.setAttribute("aria-live", "polite");
        box.innerHTML = html.trim();
      })
      .catch(() => undefined);
  });
  for (const input of form.querySelectorAll("[data-same], [name=kind]")) input.addEventListener("input", look);
}

/** Hides what the choice of "where" does not ask for. */
function followWhere(form: HTMLFormElement): void {
  const show = () => {
    const area = form.querySelector<HTMLInputElement>("[name=where][value=area]")?.checked;
    for (const part of form.querySelectorAll<HTMLElement>("[data-where=here]")) part.hidden = !!area;
  };
  for (const input of form.querySelectorAll("[name=where]")) input.addEventListener("change", show);
  show();
}

async function startPin(): Promise<void> {
  const box = document.getElementById("pin");
  const config = readConfig();
  const lat = field("lat"), lon = field("lon");
  if (!box || !config || !lat || !lon || config.light) return;
  const open = async () => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = config.style;
    const styled = new Promise((done) => (style.onload = style.onerror = done));
    document.head.append(style);
    const [module] = await Promise.all([import(box.dataset.module!) as Promise<typeof import("./pinmap")>, styled]);
    box.hidden = false;
    module.start(box, config, lat, lon, field("approximate"), box.dataset.label ?? "", box.dataset.hint ?? "");
    // The pin goes where the chosen place is; moved by hand, it is the pin that counts.
    const places = [...document.querySelectorAll<HTMLInputElement>("[name=place]")];
    const follow = (place: HTMLInputElement) => {
      const at = new URLSearchParams(place.value);
      if (!at.get("lat") || !at.get("lon")) return;
      lat.value = at.get("lat")!;
      lon.value = at.get("lon")!;
      lat.dispatchEvent(new Event("change"));
    };
    for (const place of places) {
      place.addEventListener("change", () => follow(place));
      if (place.checked) follow(place);
    }
    lat.addEventListener("input", () => places.forEach((place) => (place.checked = false)));
  };
  if (box.dataset.module) await open().catch((e) => console.error(e));
}

if (form) {
  document.documentElement.classList.add("js");
  keepDraft(form);
  watchSame(form);
  followWhere(form);
  startHours(form);
  void startPin();
}
