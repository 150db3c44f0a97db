// @ts-check
// Arrays of numbers: one axis as a sparkline, two as a heat map.
import { h, s, short } from "../dom.js";

/** @param {any} cell */
function finite(cell) {
  const numbers = cell.v.map((/** @type {any} */ one) => (typeof one === "number" ? one : typeof one === "boolean" ? Number(one) : NaN));
  let low = Infinity;
  let high = -Infinity;
  for (const one of numbers) {
    if (one < low) low = one;
    if (one > high) high = one;
  }
  return { numbers, low, high };
}

/** @param {any} cell @param {number} low @param {number} high */
function told(cell, low, high) {
  const range = low <= high ? `, ${short(low)} to ${short(high)}` : "";
  return `${cell.dtype} ${cell.shape.join("×")}${range}`;
}

/** @type {import("./registry.js").Renderer} */
export const sparkline = {
  name: "sparkline",
  label: "Line",
  kinds: ["array", "list"],
  width: 150,
  height: 40,
  draw: (cell, context) => {
    if (cell.$ !== "array" && cell.$ !== "list") return String(cell.v ?? cell);
    const { numbers, low, high } = finite(cell);
    const dtype = cell.$ === "array" ? cell : { dtype: "list", shape: [cell.length] };
    const [width, height] = context.enlarged ? [480, 160] : [128, Math.max(context.height - 8, 16)];
    const y = (/** @type {number} */ one) => (high > low ? height - 1 - ((one - low) / (high - low)) * (height - 2) : height / 2);
    let path = "";
    let pen = "M";
    numbers.forEach((/** @type {number} */ one, /** @type {number} */ at) => {
      if (Number.isNaN(one)) {
        pen = "M";
        return;
      }
      path += `${pen}${((at / Math.max(numbers.length - 1, 1)) * width).toFixed(1)} ${y(one).toFixed(1)}`;
      pen = "L";
    });
    const label = told(dtype, low, high);
    const line = s("svg", { class: "sparkline", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, s("title", null, label), s("path", { d: path }));
    return context.enlarged ? h("figure", null, line, h("figcaption", null, label)) : line;
  },
};

/** Dark to light in both themes, even for eyes that see few colours. */
const STOPS = [
  [48, 18, 59],
  [70, 93, 200],
  [38, 166, 188],
  [98, 201, 104],
  [245, 214, 63],
];

/** @param {number} share */
function colour(share) {
  const at = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  return STOPS[low].map((one, index) => one + (STOPS[low + 1][index] - one) * (at - low));
}

/** @type {import("./registry.js").Renderer} */
export const heatmap = {
  name: "heatmap",
  label: "Heat map",
  kinds: ["array"],
  width: 90,
  height: 60,
  draw: (cell, context) => {
    const { numbers, low, high } = finite(cell);
    const [rows, columns] = cell.shown.length === 2 ? cell.shown : [1, cell.v.length];
    const canvas = h("canvas", { class: "heatmap", width: columns, height: rows, role: "img", "aria-label": told(cell, low, high), title: told(cell, low, high) });
    const scale = (context.enlarged ? 320 : context.height - 8) / Math.max(rows, columns, 1);
    Object.assign(canvas.style, { width: `${Math.max(columns * scale, 2)}px`, height: `${Math.max(rows * scale, 2)}px` });
    if (rows && columns) {
      const pixels = new ImageData(columns, rows);
      numbers.slice(0, rows * columns).forEach((/** @type {number} */ one, /** @type {number} */ at) => {
        const share = high > low ? (one - low) / (high - low) : 0.5;
        pixels.data.set(Number.isNaN(one) ? [128, 128, 128, 90] : [...colour(share), 255], at * 4);
      });
      canvas.getContext("2d").putImageData(pixels, 0, 0);
    }
    return context.enlarged ? h("figure", null, canvas, h("figcaption", null, told(cell, low, high))) : canvas;
  },
};
