// Stands in for parts of protomaps-leaflet that we do not use: its ready-made
// styles and its reader of PMTiles archives.
export const namedFlavor = (): never => { throw new Error("not included"); };
export class PMTiles {}
