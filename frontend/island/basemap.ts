// The ground of the map. Whatever draws it stands behind Basemap, so that it can be replaced.
import type * as L from "leaflet";
import { CenteredTextSymbolizer, Feature, LabelRule, LineSymbolizer, PaintRule, PolygonSymbolizer, leafletLayer, linear } from "protomaps-leaflet";
import type { Config } from "./config";

export interface Basemap {
  /** Draws itself on the map, and again when the page turns dark or light. */
  addTo(map: L.Map): void;
}

/** Vector tiles with the layers of the Protomaps basemap v4: earth, water, landuse, boundaries, roads, buildings, places. */
export function vectorBasemap(config: Config): Basemap {
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
  rules.push({ dataLayer: "boundaries", symbolizer: new LineSymbolizer({ color: c.boundary, width: (_z: number, f?: Feature) => (kind(f) === "country" ? 1.4 : 0.8), dash: [4, 3] }) });
  return rules;
}

function labels(c: Colours, lang: string): LabelRule[] {
  const names = [`name:${lang}`, "name"];
  const label = (weight: number, size: (z: number, f?: Feature) => number, fill = c.label) =>
    new CenteredTextSymbolizer({ labelProps: names, fill, stroke: c.halo, width: 2, fontFamily: c.font, fontWeight: weight, fontSize: size, lineHeight: 1.2 } as ConstructorParameters<typeof CenteredTextSymbolizer>[0]);
  const rank = (f?: Feature) => Number(f?.props.population_rank ?? 0);
  const bySize = (a: Feature["props"], b: Feature["props"]) =>
    Number(a.min_zoom ?? 0) - Number(b.min_zoom ?? 0) || Number(b.population_rank ?? 0) - Number(a.population_rank ?? 0);
  return [
    { dataLayer: "places", symbolizer: label(700, () => 13, c.boundary), filter: (z, f) => kind(f) === "country" && z < 8, sort: bySize },
    { dataLayer: "places", symbolizer: label(600, () => 12, c.boundary), filter: (z, f) => kind(f) === "region" && z >= 6 && z < 9, sort: bySize },
    { dataLayer: "places", symbolizer: label(500, (z, f) => 11 + Math.min(5, Math.max(0, rank(f) - 5) / 2) + (z > 10 ? 2 : 0)), filter: (_z, f) => kind(f) !== "country" && kind(f) !== "region", sort: bySize },
  ];
}
