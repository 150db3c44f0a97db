// @ts-check
// Colours and dashes of series, by slot: the place of a run in what is chosen, the same in every chart.

export const COLOURS = 10;
const RAMP = 5;
/** @type {number[][]} */
export const DASHES = [[], [6, 3], [2, 2], [9, 3, 2, 3], [4, 2, 1, 2], [12, 4]];
/** Marks of points, about their middle; the first is a circle. @type {number[][][]} */
export const SHAPES = [[], [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]], [[0, -1.1], [1.1, 0.9], [-1.1, 0.9]], [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]], [[-1.1, -0.9], [1.1, -0.9], [0, 1.1]],
  [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]];

/** @param {any} pen @param {number} shape @param {number} x @param {number} y @param {number} size */
export function paintMark(pen, shape, x, y, size) {
  pen.beginPath();
  const points = SHAPES[shape % SHAPES.length];
  if (!points.length) pen.arc(x, y, size, 0, 7);
  points.forEach(([left, top], at) => pen[at ? "lineTo" : "moveTo"](x + left * size, y + top * size));
  if (points.length) pen.closePath();
  pen.fill();
}

/**
 * How a slot is told from others: the dash goes along with the colour, and is another one where colours begin again.
 * @param {number} slot
 */
export function lookOf(slot) {
  const at = Math.max(slot || 0, 0);
  return { colour: at % COLOURS, dash: (at + Math.floor(at / COLOURS)) % DASHES.length };
}

/** @typedef {{text: string, quiet: string, line: string, page: string, accent: string, series: string[], ramp: string[]}} Colours */

/**
 * The colours of the page as it looks now: a canvas knows no variables.
 * @param {HTMLElement} host
 * @returns {Colours}
 */
export function coloursOf(host) {
  const probe = document.createElement("span");
  probe.hidden = true;
  host.append(probe);
  const read = (/** @type {string} */ name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const many = (/** @type {string} */ name, /** @type {number} */ count) => Array.from({ length: count }, (_, at) => read(`${name}-${at}`));
  const found = { text: read("text"), quiet: read("quiet"), line: read("line"), page: read("page"), accent: read("accent"), series: many("series", COLOURS), ramp: many("ramp", RAMP) };
  probe.remove();
  return found;
}

/**
 * A colour between those of the ramp.
 * @param {string[]} ramp
 * @param {number} share 0 to 1
 */
export function shade(ramp, share) {
  const at = Math.min(Math.max(share || 0, 0), 1) * (ramp.length - 1);
  const low = Math.min(Math.floor(at), ramp.length - 2);
  const [first, second] = [ramp[low], ramp[low + 1]].map((text) => (text.match(/[\d.]+/g) ?? []).map(Number));
  return `rgb(${[0, 1, 2].map((part) => Math.round(first[part] + (second[part] - first[part]) * (at - low))).join(", ")})`;
}

const WATCHED = new Set();
let isWatching = false;

/**
 * Call something whenever the page becomes light or dark, or is zoomed; what ends it is given.
 * @param {() => void} run
 */
export function onLook(run) {
  if (!isWatching) {
    isWatching = true;
    const tell = () => WATCHED.forEach((one) => one());
    document.addEventListener("artstore-theme", tell);
    addEventListener("resize", tell);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  }
  WATCHED.add(run);
  return () => WATCHED.delete(run);
}
