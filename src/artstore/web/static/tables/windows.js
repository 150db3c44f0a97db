// @ts-check
// Rows of a selection, fetched in chunks of rows and blocks of columns. What is there stays until new rows come.

import { selectionPairs } from "../state.js";

const CHUNK = 100;
const BLOCK = 24;
const CHUNKS_MAX = 60;

/**
 * @typedef {{numbers: number[], columns: Map<string, any[]>}} Chunk
 */

export class Windows {
  /**
   * @param {import("../api.js").Api} api
   * @param {{changed: () => void, failed: (error: any) => void, counted: (matching: number, total: number) => void}} listener
   */
  constructor(api, listener) {
    this.api = api;
    this.listener = listener;
    /** @type {Map<number, Chunk>} */
    this.chunks = new Map();
    /** @type {Set<string>} */
    this.pending = new Set();
    this.matching = 0;
    this.total = 0;
    /** @type {[string, string][]} */
    this.pairs = [];
    /** @type {any} the rows that the page brought */
    this.first = null;
    /** The side of thumbnails that come with the rows, if the server has made them before; 0 for none. */
    this.thumbs = 0;
    /** Whether the rows are those of a view before. */
    this.isOld = false;
  }

  /** @param {any} answer the rows that the page brought @param {import("../state.js").State} state */
  begin(answer, state) {
    this.pairs = selectionPairs(state);
    [this.matching, this.total] = [answer.matching, answer.total];
    // A window that does not begin a chunk is fetched again, whole.
    if (answer.start % CHUNK === 0 && (answer.rows.length === CHUNK || answer.start + answer.rows.length >= answer.matching)) this.keep(answer, answer.start / CHUNK);
    else this.first = answer;
  }

  /** @param {import("../state.js").State} state another selection, or other computed columns */
  select(state) {
    this.pairs = selectionPairs(state);
    this.isOld = true;
    this.pending.clear();
  }

  /** @param {any} answer @param {number} index */
  keep(answer, index) {
    if (this.isOld) {
      this.chunks.clear();
      this.first = null;
      this.isOld = false;
    }
    const { first } = this;
    // Who has drawn a cell of the page need not draw it again.
    if (first) answer.columns.forEach((/** @type {any} */ column, /** @type {number} */ at) => {
      const cells = first.cells[first.columns.findIndex((/** @type {any} */ one) => one.name === column.name)];
      if (cells) answer.cells[at] = answer.cells[at].map((/** @type {any} */ cell, /** @type {number} */ row) => {
        const place = index * CHUNK + row - first.start;
        return first.rows[place] === answer.rows[row] ? cells[place] : cell;
      });
    });
    const chunk = this.chunks.get(index) ?? { numbers: answer.rows, columns: new Map() };
    answer.columns.forEach((/** @type {any} */ column, /** @type {number} */ at) => chunk.columns.set(column.name, answer.cells[at]));
    // The newest last: what was not used for long goes first.
    this.chunks.delete(index);
    this.chunks.set(index, chunk);
    if (this.chunks.size > CHUNKS_MAX) this.chunks.delete(/** @type {number} */ (this.chunks.keys().next().value));
  }

  /** @param {number} place @returns {number|undefined} the number in the table of the row at a place */
  number(place) {
    const chunk = this.chunks.get(Math.floor(place / CHUNK));
    if (chunk) return chunk.numbers[place % CHUNK];
    return this.first?.rows[place - this.first.start];
  }

  /** @param {number} place @param {string} column @returns {any} undefined if it is not there yet */
  cell(place, column) {
    const cells = this.chunks.get(Math.floor(place / CHUNK))?.columns.get(column);
    if (cells) return cells[place % CHUNK];
    if (!this.first) return undefined;
    const at = this.first.columns.findIndex((/** @type {any} */ one) => one.name === column);
    return at < 0 ? undefined : this.first.cells[at][place - this.first.start];
  }

  /**
   * Ask for what is not there.
   * @param {number} from
   * @param {number} to
   * @param {string[]} order all columns that are shown
   * @param {number} firstColumn
   * @param {number} lastColumn
   * @param {string[]} pinned
   */
  ensure(from, to, order, firstColumn, lastColumn, pinned) {
    const last = Math.floor(Math.max(to - 1, 0) / CHUNK);
    for (let index = Math.floor(from / CHUNK); index <= last; index += 1) {
      const wanted = new Set(pinned);
      for (let at = Math.floor(firstColumn / BLOCK) * BLOCK; at < Math.min(Math.ceil((lastColumn + 1) / BLOCK) * BLOCK, order.length); at += 1) wanted.add(order[at]);
      const there = this.isOld ? null : this.chunks.get(index);
      const missing = [...wanted].filter((name) => !there?.columns.has(name) && !this.pending.has(`${index} ${name}`));
      if (missing.length || (!order.length && !there && !this.pending.has(`${index} `))) this.fetch(index, missing);
    }
  }

  /** @param {number} index @param {string[]} names */
  async fetch(index, names) {
    const keys = names.length ? names.map((name) => `${index} ${name}`) : [`${index} `];
    keys.forEach((key) => this.pending.add(key));
    const { pairs } = this;
    try {
      const thumbs = this.thumbs ? [/** @type {[string, any]} */ (["thumbs", this.thumbs])] : [];
      const answer = await this.api.get("rows", [...pairs, ["start", index * CHUNK], ["count", CHUNK], ["only", JSON.stringify(names)], ...thumbs]);
      if (pairs !== this.pairs) return;
      [this.matching, this.total] = [answer.matching, answer.total];
      this.keep(answer, index);
      this.listener.counted(answer.matching, answer.total);
      this.listener.changed();
      keys.forEach((key) => this.pending.delete(key));
    } catch (error) {
      if (pairs !== this.pairs) return;
      // What failed is not asked for again before the view changes.
      this.listener.failed(error);
    }
  }
}
