// @ts-check
// A cell of any kind, as one line of text or by what it says it is.
import { grouped, h } from "../dom.js";
import { heatmap, sparkline } from "./array.js";
import { image } from "./image.js";
import { audio, html, video } from "./media.js";
import { numberText } from "./number.js";
import { text } from "./text.js";
import { time } from "./time.js";

/** @param {any} cell @param {number} [depth] @returns {string} */
export function lineOf(cell, depth = 0) {
  if (cell === null || cell === undefined) return "null";
  if (typeof cell === "string") return depth ? JSON.stringify(cell.slice(0, 60)) : cell.slice(0, 200);
  if (typeof cell === "number" || cell.$ === "number") return numberText(cell);
  if (typeof cell !== "object") return String(cell);
  if (cell.$ === "time" && typeof cell.v === "string") return cell.v.replace("T00:00:00", "").replace("T", " ");
  const members = Array.isArray(cell.v) ? cell.v.slice(0, depth > 2 ? 0 : 8) : [];
  const more = Array.isArray(cell.v) && cell.v.length > members.length ? ", …" : "";
  if (cell.$ === "list") return `[${members.map((/** @type {any} */ value) => lineOf(value, depth + 1)).join(", ")}${more}]`;
  if (cell.$ === "dict") return `{${members.map((/** @type {any} */ pair) => `${pair[0]}: ${lineOf(pair[1], depth + 1)}`).join(", ")}${more}}`;
  if (cell.$ === "array") return `${cell.dtype} ${cell.shape.join("×")}`;
  if (cell.$ === "binary") return `${grouped(cell.size)} bytes`;
  if (cell.$ === "text") return `${cell.v.slice(0, 200)}…`;
  if (cell.$ === "media" || cell.$ === "image") return cell.caption ?? cell.kind ?? "image";
  return String(cell.v ?? cell.$);
}

/**
 * @param {any} cell
 * @param {import("./registry.js").Context} context
 * @returns {Node|string}
 */
export function drawAny(cell, context) {
  if (cell === null || cell === undefined) return h("span", { class: "null" }, "null");
  if (typeof cell !== "object") return h("span", { class: typeof cell === "string" ? "text" : "number" }, lineOf(cell));
  if (cell.$ === "text") return text.draw(cell, context);
  if (cell.$ === "time") return time.draw(cell, context);
  if (cell.$ === "image") return image.draw(cell, context);
  if (cell.$ === "array") return (cell.shown.length === 2 ? heatmap : sparkline).draw(cell, context);
  if (cell.$ === "media") return ({ audio, video, html }[/** @type {"audio"} */ (cell.kind)] ?? any).draw(cell, context);
  return h("span", { class: "mono" }, lineOf(cell));
}

/** @type {import("./registry.js").Renderer} */
export const any = {
  name: "plain",
  label: "Plain text",
  kinds: [],
  width: 180,
  draw: (cell) => {
    const line = h("span", { class: "mono" }, lineOf(cell));
    return cell?.$ === "media" && cell.src ? h("a", { href: cell.src }, line) : line;
  },
};
