// Measures supercluster on the points and tiles of two files, and prints the figures as JSON. The properties of a point
// are those that Archipel's tiles carry; its counts per category are not made here, which spares supercluster work.
import {readFileSync} from 'node:fs';
import Supercluster from 'supercluster';
import vtpbf from 'vt-pbf';

const [pointsFile, tilesFile] = process.argv.slice(2);

function memory() {
  for (let i = 0; i < 4; i++) globalThis.gc();
  const m = process.memoryUsage();
  return m.heapUsed + m.external;
}

const lines = (file) => readFileSync(file, 'latin1').trimEnd().split('\n');
const copy = (s) => Buffer.from(s, 'latin1').toString('utf8'); // so that no property keeps the whole file alive

const before = memory();
let features = lines(pointsFile).map((line) => {
  const [lon, lat, id, slug, name, kind, category] = line.split('\t');
  return {
    type: 'Feature',
    geometry: {type: 'Point', coordinates: [+lon, +lat]},
    properties: {id: copy(id), slug: copy(slug), name: copy(name), kind, category},
  };
});
// Few kinds and categories: share their strings, as JSON.parse and Archipel do.
const shared = new Map();
for (const {properties: p} of features) {
  for (const key of ['kind', 'category']) {
    if (!shared.has(p[key])) shared.set(p[key], copy(p[key]));
    p[key] = shared.get(p[key]);
  }
}

function measure(radius) {
  const index = new Supercluster({radius, extent: 512, maxZoom: 18});
  globalThis.gc();
  const start = performance.now();
  index.load(features);
  return {index, build: (performance.now() - start) / 1e3};
}

// With radius 128 of 512 its clusters are as far apart as Archipel's; 40 is its default.
const defaults = measure(40);
const {index, build} = measure(128);
const figures = {version: '9.1.0', build, build_default: defaults.build, tiles: {}, tiles_default: {}};

const tiles = lines(tilesFile).map((line) => line.split('\t').map(Number));
function time(index, z) {
  const some = tiles.filter((t) => t[0] === z);
  const run = () => {
    let bytes = 0;
    for (const [z, x, y] of some) {
      const tile = index.getTile(z, x, y);
      if (tile) bytes += vtpbf.fromGeojsonVt({points: tile}, {version: 2, extent: 512}).length;
    }
    return bytes;
  };
  const warm = performance.now();
  let bytes;
  while (performance.now() - warm < 1000) bytes = run();
  let rounds = 0;
  const start = performance.now();
  while (performance.now() - start < 2000) {
    run();
    rounds++;
  }
  return {micros: ((performance.now() - start) * 1e3) / rounds / some.length, bytes: bytes / some.length};
}
for (const z of [0, 6, 12]) {
  figures.tiles[z] = time(index, z);
  figures.tiles_default[z] = time(defaults.index, z);
}
features = null;
defaults.index = null;
figures.bytes = memory() - before;
index.getTile(0, 0, 0); // keeps it alive until here
console.log(JSON.stringify(figures));
