// The live map: Leaflet, our basemap, and the entries from vector tiles as links and buttons.
import * as L from "leaflet";
import { VectorTile } from "@mapbox/vector-tile";
import Pbf from "pbf";
import { basemap } from "./basemap";
import type { Box, Config, Listener, LiveMap, Selected } from "./config";
import { Spot, clusterPin, drawShape, entryPin } from "./pins";

const tabStops = 60; // more pins than that cannot be reached with Tab: the list has them all
const maxTiles = 80;

export function start(canvas: HTMLElement, config: Config, listener: Listener): LiveMap {
  return new Live(canvas, config, listener);
}

class Live implements LiveMap {
  private readonly map: L.Map;
  private readonly pins = new Map<string, { marker: L.Marker; element: HTMLElement; spot: Spot }>();
  private cache = new Map<string, Promise<Spot[]>>();
  private template = "";
  private turn = 0; // the newest drawing; older ones are dropped when their tiles arrive
  private byProgram = true; // the next move is ours, not the visitor's
  private lit: L.Marker | null = null;
  private chosen: L.Marker | null = null;
  private readonly number: Intl.NumberFormat;
  private readonly plural: Intl.PluralRules;

  constructor(canvas: HTMLElement, private readonly config: Config, private readonly listener: Listener) {
    this.number = new Intl.NumberFormat(config.lang);
    this.plural = new Intl.PluralRules(config.lang);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const element = document.createElement("div");
    element.className = "live-map";
    element.setAttribute("role", "application");
    element.setAttribute("aria-label", config.text.map_label ?? "");
    canvas.append(element);
    this.map = L.map(element, {
      zoomControl: false, attributionControl: false, minZoom: Math.max(2, config.minZoom), maxZoom: config.maxZoom, worldCopyJump: true,
      zoomAnimation: !still, fadeAnimation: !still, markerZoomAnimation: !still, inertia: !still, keyboard: true,
      trackResize: false, // a ResizeObserver does, so that turning a phone is no move of the visitor
    });
    L.control.zoom({ position: "topright", zoomInTitle: config.text.zoom_in ?? "+", zoomOutTitle: config.text.zoom_out ?? "−" }).addTo(this.map);
    if (config.bounds) this.fit(config.bounds);
    else this.map.setView([46.6, 2.4], 6);
    basemap(config).addTo(this.map);
    this.map.on("moveend", () => this.moved());
    new ResizeObserver(() => this.resized()).observe(element);
    this.byProgram = false;
  }

  tiles(template: string): void {
    if (template === this.template) return;
    this.template = template;
    this.cache = new Map();
    void this.draw();
  }

  fit([west, south, east, north]: Box): void {
    this.byProgram = true;
    this.map.fitBounds([[south, west], [north, east]], { maxZoom: this.closest(), animate: false });
    this.byProgram = false;
  }

  /** As near as a fitted view goes: without streets on the basemap, nearer shows nothing more. */
  private closest(): number {
    return Math.min(this.config.baseZoom < 13 ? 12 : 16, this.config.maxZoom);
  }

  box(): Box {
    const b = this.map.getBounds();
    return [b.getWest(), Math.max(-85, b.getSouth()), b.getEast(), Math.min(85, b.getNorth())];
  }

  highlight(slug: string | null, at?: [number, number], shape?: Element | null): void {
    this.lit?.remove();
    this.lit = null;
    for (const { element, marker } of this.pins.values()) {
      const on = element.dataset.slug === slug && slug !== null;
      element.classList.toggle("lit", on);
      marker.setZIndexOffset(on ? 5000 : 0);
    }
    if (!slug || !at || this.map.getContainer().querySelector(".pin.lit")) return;
    const ghost = document.createElement("div");
    ghost.className = "pin lit ghost";
    if (shape) ghost.append(shape.cloneNode(true));
    this.lit = this.put(at[0], at[1], ghost, 6000);
  }

  select(entry: Selected | null): void {
    this.chosen?.remove();
    this.chosen = null;
    if (!entry) return;
    const pin = document.createElement("div");
    pin.className = "pin chosen" + (entry.approximate ? " around" : "");
    pin.append(drawShape(this.config, entry.kind, entry.category));
    this.chosen = this.put(entry.lon, entry.lat, pin, 10000);
    const at = L.latLng(entry.lat, entry.lon);
    if (!this.map.getBounds().pad(-0.1).contains(at)) {
      this.byProgram = true;
      this.map.setView(at, Math.max(this.map.getZoom(), Math.min(12, this.closest())), { animate: false });
      this.byProgram = false;
    }
  }

  resized(): void {
    this.byProgram = true;
    this.map.invalidateSize({ pan: false });
    this.byProgram = false;
    void this.draw();
  }

  private moved(): void {
    void this.draw();
    const size = this.map.getSize();
    if (!this.byProgram && size.x > 40 && size.y > 40) this.listener.moved(this.box());
  }

  /** Loads the tiles in view and shows what is in them. */
  private async draw(): Promise<void> {
    if (!this.template) return;
    const turn = ++this.turn;
    const zoom = Math.round(this.map.getZoom());
    const view = this.map.getPixelBounds();
    const world = 2 ** zoom;
    const wanted: Promise<Spot[]>[] = [];
    const y0 = Math.max(0, Math.floor(view.min!.y / 256)), y1 = Math.min(world - 1, Math.floor(view.max!.y / 256));
    for (let y = y0; y <= y1; y++)
      for (let x = Math.floor(view.min!.x / 256); x <= Math.floor(view.max!.x / 256) && wanted.length < maxTiles; x++) wanted.push(this.tile(zoom, x, y, world));
    const spots = (await Promise.allSettled(wanted)).flatMap((r) => (r.status === "fulfilled" ? r.value : []));
    if (turn !== this.turn) return;
    this.show(spots);
  }

  private tile(z: number, x: number, y: number, world: number): Promise<Spot[]> {
    const key = `${z}/${x}/${y}`;
    let known = this.cache.get(key);
    if (!known) {
      if (this.cache.size > 400) this.cache.clear();
      const column = ((x % world) + world) % world;
      const url = this.template.replace("{z}", String(z)).replace("{x}", String(column)).replace("{y}", String(y));
      known = load(url).then((layers) => spots(layers, z, x, y));
      known.catch(() => this.cache.delete(key)); // try again on the next move
      this.cache.set(key, known);
    }
    return known;
  }

  /** Changes only the pins that differ, so that the focus stays on the others. */
  private show(list: Spot[]): void {
    const next = new Map(list.map((s) => [s.key, s]));
    const lost = document.activeElement;
    for (const [key, pin] of this.pins)
      if (!next.has(key)) {
        const focused = pin.element === lost;
        pin.marker.remove();
        this.pins.delete(key);
        if (focused) this.map.getContainer().focus({ preventScroll: true });
      }
    for (const [key, spot] of next) {
      if (this.pins.has(key)) continue;
      const element = spot.count > 1 ? this.cluster(spot) : this.entry(spot);
      this.pins.set(key, { element, spot, marker: this.put(spot.lon, spot.lat, element, 0) });
    }
    // A pin beyond the edge would shift the map under its frame when it takes the focus.
    const inView = this.map.getBounds().pad(-0.02);
    let stops = 0;
    for (const { element, spot } of this.pins.values()) element.tabIndex = inView.contains([spot.lat, spot.lon]) && ++stops <= tabStops ? 0 : -1;
  }

  private entry(spot: Spot): HTMLElement {
    const a = entryPin(this.config, spot);
    a.dataset.slug = spot.slug;
    a.addEventListener("click", (e) => {
      if (e.metaKey || e.ctrlKey || e.shiftKey || e.button !== 0) return;
      e.preventDefault();
      e.stopPropagation();
      if (!this.dragged()) this.listener.open(spot.slug);
    });
    for (const [on, value] of [["mouseenter", spot.slug], ["focus", spot.slug], ["mouseleave", null], ["blur", null]] as const) a.addEventListener(on, () => this.listener.hover(value));
    return a;
  }

  private cluster(spot: Spot): HTMLElement {
    const b = clusterPin(this.config, spot, (n) => this.number.format(n), this.plural);
    b.addEventListener("click", (e) => {
      e.stopPropagation();
      if (this.dragged()) return;
      const zoom = this.map.getZoom();
      if (spot.opens > this.config.maxZoom || zoom >= this.config.maxZoom) {
        const near = 0.0002; // some 20 m: those at one address, and no neighbour
        this.listener.crowd([spot.lon - near, spot.lat - near, spot.lon + near, spot.lat + near]);
        return;
      }
      this.map.setView([spot.lat, spot.lon], Math.min(this.config.maxZoom, Math.max(spot.opens, zoom + 1)));
    });
    return b;
  }

  private put(lon: number, lat: number, element: HTMLElement, above: number): L.Marker {
    // Leaflet's own keyboard and click handling is left out: pins are links and buttons.
    const icon = L.divIcon({ html: element, className: "holder", iconSize: [0, 0] });
    return L.marker([lat, lon], { icon, interactive: false, keyboard: false, zIndexOffset: above }).addTo(this.map);
  }

  private dragged(): boolean {
    return (this.map.dragging as unknown as { moved?: () => boolean }).moved?.() ?? false;
  }
}

async function load(url: string): Promise<VectorTile | null> {
  const response = await fetch(url);
  if (response.status === 204 || response.status === 404) return null;
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  const body = await response.arrayBuffer();
  return body.byteLength ? new VectorTile(new Pbf(body)) : null;
}

/** The points of a tile, whose x may lie beyond the world's edge. */
function spots(tile: VectorTile | null, z: number, x: number, y: number): Spot[] {
  const out: Spot[] = [];
  for (const name of ["entries", "clusters"]) {
    const layer = tile?.layers[name];
    for (let i = 0; layer && i < layer.length; i++) {
      const f = layer.feature(i);
      const point = f.loadGeometry()[0]?.[0];
      if (!point) continue;
      const p = f.properties;
      const lon = ((x + point.x / layer.extent) / 2 ** z) * 360 - 180;
      const lat = (Math.atan(Math.sinh(Math.PI * (1 - (2 * (y + point.y / layer.extent)) / 2 ** z))) * 180) / Math.PI;
      const text = (key: string) => String(p[key] ?? "");
      const count = name === "clusters" ? Number(p.count) : 1;
      out.push({
        // an entry with several sites stands in several places
        key: count > 1 ? `${z}:${point.x}:${point.y}:${x}:${y}:${count}` : `${text("id")}:${lon.toFixed(4)}`,
        lon, lat, count, id: text("id"), slug: text("slug"), name: text("name"), kind: text("kind"), category: text("category"),
        approximate: p.approximate === true, faded: p.faded === true, origin: text("origin"), top: text("categories") || text("top"), opens: Number(p.zoom ?? z + 2),
      });
    }
  }
  return out;
}
