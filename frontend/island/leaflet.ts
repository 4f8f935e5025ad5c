// protomaps-leaflet expects a global L; the bundler gives it this one instead.
import * as L from "leaflet";
export { L };
