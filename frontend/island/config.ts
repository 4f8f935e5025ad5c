// What the server tells the island, in <script type="application/json" id="map-config">.

export type Box = [west: number, south: number, east: number, north: number];

export interface Config {
  lang: string;
  module: string;
  style: string;
  sprite: string;
  base: string;
  baseZoom: number;
  baseFrom: number;
  minZoom: number;
  maxZoom: number;
  bounds: Box | null;
  light: boolean;
  categories: Record<string, [label: string, icon: string, colour: string]>;
  kinds: Record<string, string>;
  islands?: Record<string, string>; // names by host
  text: Record<string, string>;
  selected?: Selected;
}

export interface Selected {
  id: string;
  slug: string;
  name: string;
  kind: string;
  category: string;
  lon: number;
  lat: number;
  approximate: boolean;
}

/** What the live map tells the page. */
export interface Listener {
  moved(box: Box): void; // by the visitor, not by the program
  open(slug: string): void;
  hover(slug: string | null): void;
  crowd(box: Box): void; // a cluster that no zoom takes apart was chosen
}

/** What the page asks of the live map. */
export interface LiveMap {
  tiles(template: string): void; // show the entries of other filters
  fit(box: Box): void;
  box(): Box;
  highlight(slug: string | null, at?: [lon: number, lat: number], shape?: Element | null): void;
  select(entry: Selected | null): void;
  resized(): void;
}

export function readConfig(): Config | null {
  const block = document.getElementById("map-config");
  return block?.textContent ? (JSON.parse(block.textContent) as Config) : null;
}

export function parseBox(s: string | null | undefined): Box | null {
  const n = (s ?? "").split(",").map(Number);
  if (n.length !== 4 || n.some((v) => !Number.isFinite(v))) return null;
  const [west, south, east, north] = n as Box;
  if (west === east && south === north && west === 0 && south === 0) return null;
  return [west, south, east < west ? east + 360 : east, north];
}

/** A box as a bbox parameter: four decimals, longitudes within ±180. */
export function formatBox([west, south, east, north]: Box): string {
  const lon = (v: number) => (v < -180 || v > 180 ? v - 360 * Math.floor((v + 180) / 360) : v);
  const bounds = east - west >= 360 ? [-180, south, 180, north] : [lon(west), south, lon(east), north];
  return bounds.map((v) => String(Math.round(v * 1e4) / 1e4)).join(",");
}
