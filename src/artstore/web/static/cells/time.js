// @ts-check
import { h, short } from "../dom.js";

/** @type {import("./registry.js").Renderer} */
export const time = {
  name: "time",
  label: "Time",
  kinds: ["time"],
  width: 180,
  draw: (cell) => {
    if (typeof cell !== "object") return h("span", { class: "number" }, String(cell));
    if (cell.unit) return h("span", { class: "number" }, `${short(cell.v)} ${cell.unit}`);
    return h("time", { class: "number", datetime: cell.v }, String(cell.v).replace("T", " ").replace(/Z$/, " UTC"));
  },
};
