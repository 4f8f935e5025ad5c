// The ground of the map. Whatever draws it stands behind Basemap, so that it can be replaced.
import type * as L from "leaflet";
import { tileLayer } from "leaflet";
import { CenteredTextSymbolizer, CircleSymbolizer, Feature, GroupSymbolizer, LabelRule, LineSymbolizer, OffsetTextSymbolizer, PaintRule, PolygonSymbolizer, leafletLayer, linear } from "protomaps-leaflet";
import type { Config } from "./config";

export interface Basemap {
  /** Draws itself on the map, and again when the page turns dark or light. */
  addTo(map: L.Map): void;
}

/** What the operator's file holds: vector tiles, or pictures over the world. */
export function basemap(config: Config): Basemap {
  if (config.base.endsWith(".mvt")) return vectorBasemap(config);
  const world = vectorBasemap({ ...config, base: "/tiles/world/{z}/{x}/{y}.mvt", baseZoom: 10 });
  return {
    addTo(map) {
      world.addTo(map);
      pictures(config).addTo(map);
    },
  };
}

/** Pictures have no names, and no colours of their own for the dark. */
function pictures(config: Config): L.TileLayer {
  return tileLayer(config.base, { minZoom: config.baseFrom, maxNativeZoom: config.baseZoom, maxZoom: config.maxZoom, zIndex: 2 });
}

/** Vector tiles with the layers of the Protomaps basemap v4: earth, water, landuse, boundaries, roads, buildings, places. */
function vectorBasemap(config: Config): Basemap {
  return {
    addTo(map) {
      let layer: L.Layer | null = null;
      const draw = () => {
        layer?.remove();
        const c = colours();
        layer = leafletLayer({
          url: config.base,
          maxDataZoom: config.baseZoom,
          backgroundColor: c.water,
          paintRules: paint(c),
          labelRules: labels(c, config.lang),
          attribution: "",
        } as Parameters<typeof leafletLayer>[0]) as unknown as L.Layer;
        layer.addTo(map);
      };
      draw();
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    },
  };
}

type Colours = ReturnType<typeof colours>;

/** The colours of tokens.css, as they are now. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string) => style.getPropertyValue(`--map-${name}`).trim();
  return {
    water: get("water"),
    earth: get("earth"),
    green: get("green"),
    building: get("building"),
    road: get("road"),
    roadEdge: get("road-edge"),
    boundary: get("boundary"),
    label: get("label"),
    halo: get("halo"),
    font: style.getPropertyValue("--sans").trim() || "sans-serif",
  };
}

const kind = (f?: Feature) => String(f?.props.kind ?? "");
const isPolygon = (f: Feature) => f.geomType === 3;
const isLine = (f: Feature) => f.geomType === 2;
const greens = new Set(["park", "forest", "wood", "grass", "grassland", "national_park", "nature_reserve", "protected_area", "allotments", "village_green", "cemetery", "orchard", "vineyard", "meadow", "scrub", "garden", "farmland"]);
const roadOrder = ["path", "other", "minor_road", "medium_road", "major_road", "highway"];
const roadWidth: Record<string, number[][]> = {
  highway: [[6, 0.6], [10, 2], [14, 5], [18, 18]],
  major_road: [[8, 0.4], [11, 1.4], [14, 4], [18, 15]],
  medium_road: [[10, 0.4], [14, 2.6], [18, 12]],
  minor_road: [[12, 0.4], [14, 1.6], [18, 9]],
  other: [[13, 0.3], [18, 4]],
  path: [[14, 0.4], [18, 2.5]],
};

function paint(c: Colours): PaintRule[] {
  const rules: PaintRule[] = [
    { dataLayer: "earth", symbolizer: new PolygonSymbolizer({ fill: c.earth }), filter: (_z, f) => isPolygon(f) },
    { dataLayer: "landcover", symbolizer: new PolygonSymbolizer({ fill: c.green, opacity: 0.5 }), filter: (_z, f) => isPolygon(f) && greens.has(kind(f)) },
    { dataLayer: "landuse", symbolizer: new PolygonSymbolizer({ fill: c.green, opacity: 0.8 }), filter: (_z, f) => isPolygon(f) && greens.has(kind(f)) },
    { dataLayer: "water", symbolizer: new PolygonSymbolizer({ fill: c.water }), filter: (_z, f) => isPolygon(f) },
    { dataLayer: "water", symbolizer: new LineSymbolizer({ color: c.water, width: linear([[4, 0.8], [9, 2], [14, 4]]), lineCap: "round", lineJoin: "round" }), filter: (_z, f) => isLine(f) },
    { dataLayer: "buildings", symbolizer: new PolygonSymbolizer({ fill: c.building }), minzoom: 13 },
  ];
  for (const [colour, extra] of [[c.roadEdge, 1.4], [c.road, 0]] as const)
    for (const k of roadOrder)
      rules.push({
        dataLayer: "roads",
        symbolizer: new LineSymbolizer({ color: colour, width: (z: number) => linear(roadWidth[k]!)(z) + (z > 8 ? extra : 0), lineCap: "round", lineJoin: "round" }),
        filter: (_z, f) => kind(f) === k,
      });
  const border = (what: string, width: number, dash: number[]): PaintRule => ({
    dataLayer: "boundaries",
    symbolizer: new LineSymbolizer({ dash, dashColor: c.boundary, dashWidth: width, color: c.boundary, opacity: what === "country" ? 1 : 0.6, lineJoin: "round" }),
    filter: (_z, f) => (kind(f) === "country") === (what === "country"),
  });
  rules.push(border("region", 0.8, [2, 3]), border("country", 1.2, [5, 3]));
  return rules;
}

function labels(c: Colours, lang: string): LabelRule[] {
  const rank = (f?: Feature) => Number(f?.props.population_rank ?? 0);
  const size = (z: number, f?: Feature) => 11 + Math.max(0, Math.min(4, (rank(f) - 4) * 0.7)) + (z > 10 ? 1 : 0);
  const text = { labelProps: [`name:${lang}`, "name"], stroke: c.halo, width: 2.5, fontFamily: c.font, lineHeight: 1.2 };
  const first = (a: Feature["props"], b: Feature["props"]) =>
    Number(a.min_zoom ?? 0) - Number(b.min_zoom ?? 0) || Number(b.population_rank ?? 0) - Number(a.population_rank ?? 0);
  // A name stands beside its dot, so that a pin on the town leaves it legible; fewer names than the tile has, for calm.
  const town = (weight: number, min: number, below: number): LabelRule => ({
    dataLayer: "places",
    symbolizer: new GroupSymbolizer([
      new CircleSymbolizer({ radius: 2, fill: c.label, stroke: c.halo, width: 1.5 }),
      new OffsetTextSymbolizer({ ...text, fill: c.label, fontWeight: weight, fontSize: size, offsetX: 16, offsetY: 4.5, maxLineChars: 40 } as ConstructorParameters<typeof OffsetTextSymbolizer>[0]),
    ]),
    filter: (z, f) => kind(f) !== "country" && kind(f) !== "region" && rank(f) >= min && rank(f) < below && Number(f.props.min_zoom ?? 0) < z,
    sort: first,
  });
  const wide = (what: string, fontSize: number, from: number, to: number): LabelRule => ({
    dataLayer: "places",
    symbolizer: new CenteredTextSymbolizer({ ...text, fill: c.boundary, fontWeight: 700, fontSize, textTransform: "uppercase" }),
    filter: (z, f) => kind(f) === what && z >= from && z < to,
    sort: first,
  });
  return [wide("country", 11, 2, 7), town(600, 8, 99), town(400, 0, 8), wide("region", 10, 6, 9)];
}
