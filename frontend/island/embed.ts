// The live map of a page that stands in a frame of another site: it shows,
// and whatever is chosen opens in the directory itself.
import { Box, LiveMap, formatBox, readConfig } from "./config";

async function start(): Promise<void> {
  const config = readConfig();
  const canvas = document.getElementById("canvas");
  const saveData = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
  if (!config || !canvas || config.light || saveData) return;
  const visit = (path: string) => window.open(path, "_blank", "noopener");
  const list = new URL(canvas.dataset.list ?? "/", location.origin);
  const module = (await import(config.module)) as typeof import("./livemap");
  const classes = [canvas.parentElement!.classList, document.body.classList];
  for (const c of classes) c.add("live");
  try {
    const map: LiveMap = module.start(canvas, config, {
      moved: () => undefined,
      open: (slug) => visit("/e/" + encodeURIComponent(slug)),
      hover: () => undefined,
      crowd: (box: Box) => {
        list.searchParams.set("bbox", formatBox(box));
        visit(list.pathname + list.search);
      },
    });
    map.tiles(canvas.dataset.tiles!);
  } catch (e) {
    for (const c of classes) c.remove("live"); // the picture stays
    throw e;
  }
}

start().catch(console.error);
