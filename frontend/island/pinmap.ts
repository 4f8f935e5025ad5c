// A small map with one pin that says where an entry is: dragged, or moved with the arrow keys.
import * as L from "leaflet";
import { basemap } from "./basemap";
import type { Config } from "./config";

export function start(box: HTMLElement, config: Config, lat: HTMLInputElement, lon: HTMLInputElement, approximate: HTMLInputElement | null, label: string, hint: string): void {
  const element = document.createElement("div");
  element.className = "live-map";
  box.append(element);
  const map = L.map(element, { zoomControl: false, attributionControl: false, minZoom: Math.max(2, config.minZoom), maxZoom: 19, scrollWheelZoom: false });
  L.control.zoom({ position: "topright", zoomInTitle: config.text.zoom_in ?? "+", zoomOutTitle: config.text.zoom_out ?? "−" }).addTo(map);
  const read = (): L.LatLng | null => {
    const y = Number(lat.value.replace(",", ".")), x = Number(lon.value.replace(",", "."));
    return lat.value && lon.value && Math.abs(y) <= 85 && Math.abs(x) <= 180 ? L.latLng(y, x) : null;
  };
  const at = read();
  if (config.bounds) map.fitBounds([[config.bounds[1], config.bounds[0]], [config.bounds[3], config.bounds[2]]], { animate: false });
  else map.setView([46.6, 2.4], 6);
  if (at) map.setView(at, Math.max(map.getZoom(), Math.min(14, config.baseZoom + 2)), { animate: false });
  basemap(config).addTo(map);

  const pin = L.divIcon({ className: "pin chosen", html: '<svg viewBox="0 0 24 24" width="36" height="36" fill="currentColor" stroke="#fff" stroke-width="1.5"><path d="M12 22s8-7.6 8-13A8 8 0 0 0 4 9c0 5.4 8 13 8 13Z"/><circle cx="12" cy="9" r="3" fill="#fff" stroke="none"/></svg>', iconSize: [36, 36], iconAnchor: [18, 33] });
  const marker = L.marker(at ?? map.getCenter(), { icon: pin, draggable: true, keyboard: true, title: hint, autoPan: true }).addTo(map);
  const handle = marker.getElement()!;
  handle.setAttribute("aria-label", label + ". " + hint);
  const write = () => {
    const p = marker.getLatLng().wrap();
    lat.value = p.lat.toFixed(6);
    lon.value = p.lng.toFixed(6);
    if (approximate) approximate.checked = false;
    lat.dispatchEvent(new Event("input", { bubbles: true }));
  };
  marker.on("dragend", write);
  map.on("click", (e: L.LeafletMouseEvent) => {
    marker.setLatLng(e.latlng);
    write();
  });
  handle.addEventListener("keydown", (e) => {
    const step = { ArrowUp: [0, -8], ArrowDown: [0, 8], ArrowLeft: [-8, 0], ArrowRight: [8, 0] }[e.key];
    if (!step) return;
    e.preventDefault();
    e.stopPropagation();
    const p = map.latLngToContainerPoint(marker.getLatLng()).add(step as [number, number]);
    marker.setLatLng(map.containerPointToLatLng(p));
    map.panInside(marker.getLatLng(), { padding: [40, 40] });
    write();
  });
  for (const input of [lat, lon])
    input.addEventListener("change", () => {
      const p = read();
      if (!p) return;
      marker.setLatLng(p);
      map.panTo(p);
    });
}
