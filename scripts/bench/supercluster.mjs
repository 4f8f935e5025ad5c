// Measures supercluster on the points and tiles of two files, and prints the figures as JSON. The properties of a point
// are those that Archipel's tiles carry; its counts per category are not made here, which spares supercluster work.
import {readFileSync} from 'node:fs';
import Supercluster from 'supercluster';
import vtpbf from 'vt-pbf';

// full: what a marker needs, with supercluster's defaults. bare: the category alone. spaced: full, with clusters as far
// apart as Archipel's, of which there are fewer.
const [pointsFile, tilesFile, what] = process.argv.slice(2);

function memory() {
  for (let i = 0; i < 4; i++) globalThis.gc();
  const m = process.memoryUsage();
  return m.heapUsed + m.external;
}

const lines = (file) => readFileSync(file, 'latin1').trimEnd().split('\n');
const copy = (s) => Buffer.from(s, 'latin1').toString('utf8'); // so that no property keeps the whole file alive

// Few kinds and categories: share their strings, as Archipel does.
const shared = new Map();
function share(s) {
  if (!shared.has(s)) shared.set(s, copy(s));
  return shared.get(s);
}

const bare = new Map(); // one object per category
function properties(id, slug, name, kind, category) {
  if (what !== 'bare') return {id: copy(id), slug: copy(slug), name: copy(name), kind: share(kind), category: share(category)};
  if (!bare.has(category)) bare.set(share(category), {category: share(category)});
  return bare.get(category);
}

const before = memory();
let features = lines(pointsFile).map((line) => {
  const [lon, lat, ...rest] = line.split('\t');
  return {type: 'Feature', geometry: {type: 'Point', coordinates: [+lon, +lat]}, properties: properties(...rest)};
});

const options = what === 'spaced' ? {radius: 128, extent: 512} : {};
const figures = {version: '9.1.0', build: Infinity, cpu: Infinity, tiles: {}};
const cpu = (since) => {
  const u = process.cpuUsage(since);
  return (u.user + u.system) / 1e6; // seconds
};

let index;
for (let i = 0; i < 3; i++) {
  index = null;
  globalThis.gc();
  const start = performance.now();
  const used = process.cpuUsage();
  index = new Supercluster(options);
  index.load(features);
  figures.build = Math.min(figures.build, (performance.now() - start) / 1e3);
  figures.cpu = Math.min(figures.cpu, cpu(used));
}
features = null;
figures.bytes = memory() - before;

if (what === 'bare') {
  index.getTile(0, 0, 0); // keeps it alive until here
  console.log(JSON.stringify(figures));
  process.exit();
}
const tiles = lines(tilesFile).map((line) => line.split('\t').map(Number));
for (const zoom of [0, 6, 12]) {
  const some = tiles.filter((t) => t[0] === zoom);
  const pass = () => {
    let bytes = 0;
    for (const [z, x, y] of some) {
      const tile = index.getTile(z, x, y);
      if (tile) bytes += vtpbf.fromGeojsonVt({points: tile}, {version: 2, extent: 512}).length;
    }
    return bytes;
  };
  const warm = performance.now();
  let bytes;
  while (performance.now() - warm < 1000) bytes = pass();
  let rounds = 0;
  const start = performance.now();
  const used = process.cpuUsage();
  while (performance.now() - start < 2000) {
    pass();
    rounds++;
  }
  figures.tiles[zoom] = {micros: (cpu(used) * 1e6) / rounds / some.length, bytes: bytes / some.length};
}
console.log(JSON.stringify(figures));
