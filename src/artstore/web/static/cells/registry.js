// @ts-check
// Which renderer draws the cells of a column: a new one is one file, and one line here.

import { any } from "./any.js";
import { bool } from "./bool.js";
import { heatmap, sparkline } from "./array.js";
import { image } from "./image.js";
import { audio, html, video } from "./media.js";
import { bar, number } from "./number.js";
import { text } from "./text.js";
import { time } from "./time.js";
import { tree } from "./tree.js";

/**
 * @typedef {{name: string, type: string, role: string, kind: string, computed: boolean}} Column
 * @typedef {Object} Context what a renderer is told
 * @property {Column} column
 * @property {number} height pixels there are for it
 * @property {number} [width] likewise; four times the height if left out
 * @property {number} [most] how wide an enlarged picture may be, if less than usual
 * @property {string|null} [smooth] whether enlarged pictures are: "on", "off", or as it fits
 * @property {(smooth: string) => void} [keepSmooth] takes what the user chose
 * @property {boolean} enlarged in the panel of one row
 * @property {[number, number]|null} range the least and the greatest number of the column
 */

/**
 * @typedef {Object} Renderer
 * @property {string} name as it stands in addresses
 * @property {string} label as it is told to people
 * @property {string[]} kinds of the columns it can draw; none: all
 * @property {(cell: any, context: Context) => Node|string} draw never given null
 * @property {number} [height] of its rows, in pixels
 * @property {number} [width] of its columns, at first
 * @property {boolean} [isRight] whether cells are aligned to the right
 */

/** @type {Renderer[]} the first that fits a kind is taken, if nobody chose another */
export const RENDERERS = [number, bar, bool, text, time, image, sparkline, heatmap, tree, audio, video, html, any];

/** @param {Column} column @returns {Renderer[]} */
export function fitting(column) {
  return RENDERERS.filter((renderer) => !renderer.kinds.length || renderer.kinds.includes(column.kind));
}

/**
 * @param {Column} column
 * @param {string} [chosen]
 * @returns {Renderer}
 */
export function rendererOf(column, chosen) {
  const all = fitting(column);
  return all.find((renderer) => renderer.name === chosen) ?? preferred(column, all);
}

/** @param {Column} column @param {Renderer[]} all */
function preferred(column, all) {
  const shape = /array<[^,]+, (.*)>/.exec(column.type)?.[1];
  if (column.kind === "array" && shape?.split("x").length === 2) return heatmap;
  if (column.kind === "list" && !/^list<(u?int|float)\d*>$/.test(column.type)) return tree;
  return all[0];
}
