// @ts-check
// Boxes and masks over pictures. What is switched on and off is drawn anew at once, without a request.

import { s } from "./dom.js";
import { named } from "./state.js";

/** What is shown; the page keeps it in its address. */
export const shown = {
  /** @type {Set<string>} */ hiddenLayers: new Set(),
  /** @type {Set<string>} */ hiddenClasses: new Set(),
  /** @type {Record<string, number>} */ scores: named(),
  opacity: 55,
};

/** What cells have had so far: names, and the range of each score. */
export const seen = {
  /** @type {Set<string>} */ layers: new Set(),
  /** @type {Map<string, number>} */ classes: new Map(),
  /** @type {Map<string, [number, number]>} */ scores: new Map(),
  /** @type {() => void} */ changed: () => {},
};

/** @type {WeakMap<Element, () => void>} */
const updates = new WeakMap();

/** Draw all pictures of the page as `shown` says. */
export function updateOverlays() {
  for (const element of document.querySelectorAll(".picture.has-overlay")) updates.get(element)?.();
}

/** @param {import("./state.js").State} state what its address says is shown */
export function takeOverlays(state) {
  shown.hiddenLayers = new Set(state.hiddenLayers);
  shown.hiddenClasses = new Set(state.hiddenClasses);
  shown.scores = named(state.scores);
  shown.opacity = state.opacity ?? 55;
  updateOverlays();
}

/** @param {number|null|undefined} id @param {string} name */
export function colourOf(id, name) {
  let number = id ?? 0;
  if (id === null || id === undefined) for (const one of name) number = (number * 31 + one.charCodeAt(0)) % 9973;
  // The golden angle: neighbours are far apart, whatever their count.
  return `hsl(${Math.round((number * 137.508 + 210) % 360)} 85% 55%)`;
}

/** @param {any} box */
function nameOf(box) {
  return box.label ?? (box.class === null ? "no class" : `class_${box.class}`);
}

/** @param {any} cell */
export function hasOverlay(cell) {
  return Object.keys(cell.boxes).length > 0 || Object.keys(cell.masks).length > 0;
}

/** @param {any} cell */
function note(cell) {
  const before = seen.layers.size + seen.classes.size + seen.scores.size;
  for (const [layer, boxes] of Object.entries(cell.boxes)) {
    seen.layers.add(layer);
    for (const box of boxes) {
      seen.classes.set(nameOf(box), box.class);
      for (const [name, value] of Object.entries(box.scores)) {
        if (typeof value !== "number") continue;
        const [low, high] = seen.scores.get(name) ?? [value, value];
        seen.scores.set(name, [Math.min(low, value), Math.max(high, value)]);
      }
    }
  }
  for (const [layer, mask] of Object.entries(cell.masks)) {
    seen.layers.add(layer);
    for (const [id, name] of Object.entries(mask.classes)) seen.classes.set(name, Number(id));
  }
  if (seen.layers.size + seen.classes.size + seen.scores.size !== before) seen.changed();
}

/** @param {string} layer @param {any} box */
function isShown(layer, box) {
  if (shown.hiddenLayers.has(layer) || shown.hiddenClasses.has(nameOf(box))) return false;
  return Object.entries(shown.scores).every(([name, least]) => typeof box.scores[name] !== "number" || box.scores[name] >= least);
}

/**
 * Put boxes and masks over a picture.
 * @param {HTMLElement} picture
 * @param {any} cell
 * @param {number} width of the picture on the page
 * @param {number} height
 * @param {boolean} isLarge whether there is room for labels
 */
export function addOverlay(picture, cell, width, height, isLarge) {
  note(cell);
  /** @type {(() => void)[]} */
  const parts = [];
  for (const [layer, mask] of Object.entries(cell.masks)) if (mask.src) parts.push(maskPart(picture, layer, mask));
  const svg = s("svg", { class: "boxes", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  for (const [layer, boxes] of Object.entries(cell.boxes)) {
    for (const box of boxes) {
      if (typeof box.x0 !== "number") continue;
      const group = boxPart(layer, box, width, height, isLarge);
      svg.append(group);
      parts.push(() => group.toggleAttribute("hidden", !isShown(layer, box)));
    }
  }
  picture.append(svg);
  picture.classList.add("has-overlay");
  const update = () => parts.forEach((part) => part());
  updates.set(picture, update);
  update();
}

/** @param {string} layer @param {any} box @param {number} width @param {number} height @param {boolean} isLarge */
function boxPart(layer, box, width, height, isLarge) {
  const [x, y] = [box.x0 * width, box.y0 * height];
  const name = nameOf(box);
  const scores = Object.entries(box.scores).map(([key, value]) => `${key} ${typeof value === "number" ? value.toPrecision(3) : value.v}`);
  const label = [name, ...(box.caption ? [box.caption] : []), ...scores].join(", ");
  const stroke = colourOf(box.class, name);
  const group = s(
    "g",
    null,
    s("title", null, `${layer}: ${label}`),
    s("rect", { x, y, width: Math.max((box.x1 - box.x0) * width, 1), height: Math.max((box.y1 - box.y0) * height, 1), stroke }),
  );
  if (isLarge) group.append(s("text", { x: x + 3, y: Math.max(y - 4, 12), fill: stroke }, label));
  return group;
}

/** @type {Map<string, Promise<{width: number, height: number, ids: Uint8ClampedArray}>>} */
const masks = new Map();

/** @param {string} src */
function idsOf(src) {
  let found = masks.get(src);
  if (!found) {
    found = read(src);
    masks.set(src, found);
    if (masks.size > 200) masks.delete(/** @type {string} */ (masks.keys().next().value));
  }
  return found;
}

/** @param {string} src */
async function read(src) {
  const picture = new Image();
  picture.src = src;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const ids = new Uint8ClampedArray(data.length / 4);
  for (let at = 0; at < ids.length; at += 1) ids[at] = data[at * 4];
  return { width: canvas.width, height: canvas.height, ids };
}

/** @param {HTMLElement} picture @param {string} layer @param {any} mask */
function maskPart(picture, layer, mask) {
  const canvas = document.createElement("canvas");
  canvas.className = "mask";
  picture.append(canvas);
  /** @type {{width: number, height: number, ids: Uint8ClampedArray}|null} */
  let found = null;
  const draw = () => {
    canvas.style.opacity = String(shown.opacity / 100);
    canvas.hidden = shown.hiddenLayers.has(layer);
    if (!found || canvas.hidden) return;
    const pixels = new ImageData(found.width, found.height);
    const palette = paletteOf(mask.classes);
    found.ids.forEach((id, at) => pixels.data.set(palette[id], at * 4));
    /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(pixels, 0, 0);
  };
  idsOf(mask.src).then(
    (value) => {
      found = value;
      [canvas.width, canvas.height] = [value.width, value.height];
      draw();
    },
    () => canvas.remove(),
  );
  return draw;
}

/** @param {Record<string, string>} classes @returns {number[][]} */
function paletteOf(classes) {
  const probe = /** @type {CanvasRenderingContext2D} */ (Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d"));
  return Array.from({ length: 256 }, (_, id) => {
    const name = classes[String(id)];
    // Class 0 without a name is what nobody marked.
    if ((id === 0 && name === undefined) || shown.hiddenClasses.has(name ?? `class_${id}`)) return [0, 0, 0, 0];
    probe.fillStyle = colourOf(id, name ?? "");
    const value = /** @type {string} */ (probe.fillStyle);
    return [1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16)).concat(255);
  });
}
