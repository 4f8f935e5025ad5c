// What stands on the map: an entry in its kind's shape, a crowd as a disc with its count.
import type { Config } from "./config";

/** One feature of the entries' tiles, at its place in the world. */
export interface Spot {
  key: string;
  lon: number;
  lat: number;
  count: number; // 1 for an entry
  id: string;
  slug: string;
  name: string;
  kind: string;
  category: string;
  approximate: boolean;
  faded: boolean; // nobody confirmed it for long
  origin: string; // host of another island; empty when it is ours
  top: string; // "category:count,…" for a cluster
  opens: number; // zoom at which a cluster comes apart
}

const shapes: Record<string, [path: string, x: number, y: number]> = {
  organisation: ["M16 2a14 14 0 1 1 0 28a14 14 0 1 1 0-28Z", 16, 16],
  place: ["M10 3h12a7 7 0 0 1 7 7v12a7 7 0 0 1-7 7H10a7 7 0 0 1-7-7V10a7 7 0 0 1 7-7Z", 16, 16],
  initiative: ["M3 29C1 12 10 2 30 2c0 20-10 29-27 27Z", 16.5, 15.5],
  event: ["M4 31V2h26l-4.5 10.5L30 23H8v8Z", 16, 12.5],
};
const plain = "#4a6670";
const svgNS = "http://www.w3.org/2000/svg";

export function svg(name: string, attributes: Record<string, string>, ...children: Node[]): SVGElement {
  const e = document.createElementNS(svgNS, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

/** White, or ink where white would not stand out (3:1). */
function onto(colour: string): string {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const v = parseInt(colour.slice(i, i + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) >= 3 ? "#ffffff" : "#16211f";
}

export function drawShape(config: Config, kind: string, category: string): SVGElement {
  const [path, x, y] = shapes[kind] ?? shapes.place!;
  const [, icon, colour] = config.categories[category] ?? ["", kind, plain];
  const inner = svg("svg", { x: String(x - 7.8), y: String(y - 7.8), width: "15.6", height: "15.6", stroke: onto(colour) }, svg("use", { href: `${config.sprite}#${icon || kind}` }));
  return svg("svg", { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true" }, svg("path", { d: path, fill: colour, class: "edge" }), inner);
}

/** An entry's pin: a link to its page. */
export function entryPin(config: Config, s: Spot): HTMLAnchorElement {
  const a = document.createElement("a");
  a.href = "/e/" + encodeURIComponent(s.slug);
  a.className = "pin" + (s.approximate ? " around" : "") + (s.origin ? " mirrored" : "") + (s.faded ? " faded" : "");
  a.draggable = false;
  const isle = config.islands?.[s.origin] ?? s.origin;
  const what = [s.name, config.kinds[s.kind], config.categories[s.category]?.[0], s.approximate ? config.text.approximate : "", isle];
  a.setAttribute("aria-label", what.filter(Boolean).join(", "));
  const tip = document.createElement("span");
  tip.className = "tip";
  tip.textContent = isle ? `${s.name} (${isle})` : s.name;
  a.append(drawShape(config, s.kind, s.category), tip);
  if (isle) a.append(svg("svg", { class: "isle", viewBox: "0 0 24 24" }, svg("use", { href: `${config.sprite}#island` })));
  return a;
}

/** A cluster's disc: its area grows with the logarithm of the count, its ring shows the leading categories. */
export function clusterPin(config: Config, s: Spot, format: (n: number) => string, rule: Intl.PluralRules): HTMLButtonElement {
  const b = document.createElement("button");
  b.type = "button";
  b.className = "crowd";
  const size = Math.round(Math.min(54, Math.sqrt(38 * 38 + 620 * Math.log10(Math.max(1, s.count)))));
  b.style.width = b.style.height = `${size}px`;
  b.style.backgroundImage = ring(config, s);
  const count = document.createElement("span");
  count.textContent = format(s.count);
  b.append(count);
  const words = config.text[rule.select(s.count) === "one" ? "cluster_one" : "cluster_other"] ?? "{n}";
  b.setAttribute("aria-label", words.replace("{n}", format(s.count)));
  return b;
}

function ring(config: Config, s: Spot): string {
  const leading = s.top.split(",").flatMap((one): [colour: string, n: number][] => {
    const cut = one.lastIndexOf(":");
    const n = Number(one.slice(cut + 1));
    return cut > 0 && n > 0 ? [[config.categories[one.slice(0, cut)]?.[2] ?? plain, n]] : [];
  });
  const sum = leading.reduce((all, [, n]) => all + n, 0);
  if (!sum) return `conic-gradient(${plain} 0 100%)`;
  let at = 0;
  const parts = leading.map(([colour, n]) => {
    const from = at;
    at += (n / sum) * 100;
    return `${colour} ${from.toFixed(1)}% ${at.toFixed(1)}%`;
  });
  return `conic-gradient(${parts.join(",")})`;
}
