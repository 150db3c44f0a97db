// @ts-check
// The view of a table as a query string, and back; the server reads and writes the same parts.

/**
 * @typedef {Object} State
 * @property {string[]} where
 * @property {{column: string, descending: boolean}[]} sort
 * @property {[string, string][]} compute
 * @property {string|null} among numbers of the only rows that are looked at
 * @property {string} chosen numbers of the rows that are ticked
 * @property {string[]} group
 * @property {number} start
 * @property {number|null} row
 * @property {string[]|null} columns
 * @property {string[]} pins
 * @property {Record<string, number>} widths
 * @property {Record<string, string>} renderers
 * @property {string} mode
 * @property {number|null} size
 * @property {string|null} image
 * @property {string[]|null} captions
 * @property {string|null} smooth
 * @property {string[]} hiddenLayers
 * @property {string[]} hiddenClasses
 * @property {Record<string, number>} scores
 * @property {number|null} opacity
 * @property {[string, string][]} others parts that other modules of the page read
 */

/**
 * Values by names of users: nothing is found that nobody put there, neither `constructor` nor `__proto__`.
 * @param {...Record<string, any>} parts
 * @returns {Record<string, any>}
 */
export function named(...parts) {
  return Object.assign(Object.create(null), ...parts);
}

/** @returns {State} */
export function emptyState() {
  return {
    where: [],
    sort: [],
    compute: [],
    among: null,
    chosen: "",
    group: [],
    start: 0,
    row: null,
    columns: null,
    pins: [],
    widths: named(),
    renderers: named(),
    mode: "rows",
    size: null,
    image: null,
    captions: null,
    smooth: null,
    hiddenLayers: [],
    hiddenClasses: [],
    scores: named(),
    opacity: null,
    others: [],
  };
}

/** @param {string} text @returns {[string, string]} */
function split(text) {
  const at = text.lastIndexOf(":");
  return [text.slice(0, at), text.slice(at + 1)];
}

/** @type {Record<string, (state: State, text: string) => void>} */
const READ = {
  where: (state, text) => state.where.push(text),
  sort: (state, text) =>
    state.sort.push({ column: text.slice(text.indexOf(":") + 1), descending: text.startsWith("desc:") }),
  compute: (state, text) => {
    const found = /^((?:[^\\=]|\\[^])*)=([^]*)$/.exec(text);
    if (found) state.compute.push([found[1].replace(/\\([^])/g, "$1"), found[2]]);
  },
  among: (state, text) => (state.among = text),
  chosen: (state, text) => (state.chosen = text),
  group: (state, text) => state.group.push(text),
  start: (state, text) => (state.start = Number(text)),
  row: (state, text) => (state.row = Number(text)),
  columns: (state, text) => (state.columns = JSON.parse(text)),
  pin: (state, text) => state.pins.push(text),
  width: (state, text) => (state.widths[split(text)[0]] = Number(split(text)[1])),
  render: (state, text) => (state.renderers[split(text)[0]] = split(text)[1]),
  mode: (state, text) => (state.mode = text),
  size: (state, text) => (state.size = Number(text)),
  image: (state, text) => (state.image = text),
  captions: (state, text) => (state.captions = JSON.parse(text)),
  smooth: (state, text) => (state.smooth = text),
  "hide-layer": (state, text) => state.hiddenLayers.push(text),
  "hide-class": (state, text) => state.hiddenClasses.push(text),
  score: (state, text) => (state.scores[split(text)[0]] = Number(split(text)[1])),
  opacity: (state, text) => (state.opacity = Number(text)),
};

/**
 * The state that a query string tells, as the server wrote it.
 * @param {string} query
 * @returns {State}
 */
export function parse(query) {
  const state = emptyState();
  for (const [name, text] of new URLSearchParams(query)) {
    const read = Object.hasOwn(READ, name) ? READ[name] : null;
    try {
      if (read) read(state, text);
      else if (name !== "view") state.others.push([name, text]);
    } catch {
      // The server told of a part that cannot be read.
    }
  }
  return state;
}

/**
 * @param {State} state
 * @returns {[string, string][]}
 */
export function selectionPairs(state) {
  // Side by side each table answers for itself, and numbers are those of one of them.
  const isAlone = state.others.some(([name, text]) => name === "how" && text === "side");
  return [...rowPairs(isAlone ? { ...state, among: null } : state), ...(isAlone ? [] : state.others.filter(([name]) => COMPARED.includes(name)))];
}

const COMPARED = ["with", "key", "how", "quick", "judge", "truth", "guess"];

/** @param {State} state @returns {[string, string][]} */
function rowPairs(state) {
  // Pictures of a group stand together.
  const by = state.mode === "images" ? state.group : [];
  const sort = [...by.map((column) => ({ column, descending: false })), ...state.sort.filter((key) => !by.includes(key.column))];
  return [
    ...state.where.map((text) => /** @type {[string, string]} */ (["where", text])),
    ...sort.map((key) => /** @type {[string, string]} */ (["sort", `${key.descending ? "desc" : "asc"}:${key.column}`])),
    ...state.compute.map(([name, text]) => /** @type {[string, string]} */ (["compute", `${name.replace(/[\\=]/g, "\\$&")}=${text}`])),
    .../** @type {[string, string][]} */ (state.among === null ? [] : [["among", state.among]]),
  ];
}

/**
 * @param {State} state
 * @returns {string} without `?`
 */
export function queryOf(state) {
  /** @type {[string, any][]} */
  const pairs = [...rowPairs({ ...state, mode: "rows" }), ...state.group.map((name) => ["group", name])];
  if (state.start) pairs.push(["start", Math.round(state.start)]);
  if (state.row !== null) pairs.push(["row", state.row]);
  if (state.columns) pairs.push(["columns", JSON.stringify(state.columns)]);
  pairs.push(...state.pins.map((name) => ["pin", name]));
  pairs.push(...Object.entries(state.widths).map(([name, width]) => ["width", `${name}:${Math.round(width)}`]));
  pairs.push(...Object.entries(state.renderers).map(([name, renderer]) => ["render", `${name}:${renderer}`]));
  if (state.mode !== "rows") pairs.push(["mode", state.mode]);
  if (state.size !== null) pairs.push(["size", state.size]);
  if (state.image !== null) pairs.push(["image", state.image]);
  if (state.captions) pairs.push(["captions", JSON.stringify(state.captions)]);
  if (state.smooth) pairs.push(["smooth", state.smooth]);
  pairs.push(...state.hiddenLayers.map((name) => ["hide-layer", name]));
  pairs.push(...state.hiddenClasses.map((name) => ["hide-class", name]));
  pairs.push(...Object.entries(state.scores).map(([name, least]) => ["score", `${name}:${least}`]));
  if (state.opacity !== null) pairs.push(["opacity", state.opacity]);
  // Many ticks would make the address long, and they are there without it.
  if (state.chosen && state.chosen.length <= CHOSEN_CHARS) pairs.push(["chosen", state.chosen]);
  pairs.push(...state.others);
  return pairs.map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%3A/g, ":").replace(/%2C/g, ",")}`).join("&");
}

const CHOSEN_CHARS = 1500;

/** Names of truths and guesses, as the server knows them. @type {Set<string>} */
export const telling = new Set();

/**
 * Columns as the table has them, but pictures, truths and guesses beyond the first eight right behind the first one:
 * where a joined table has them they would be seen by nobody. The server's page has the same order.
 * @param {import("./cells/registry.js").Column[]} columns
 */
export function usualOrder(columns) {
  const seen = columns.filter((column) => !["in", "changed"].includes(/** @type {any} */ (column).part));
  const late = seen.filter((column, at) => at >= 8 && (column.role === "media" || telling.has(/** @type {any} */ (column).base ?? column.name)));
  const rest = seen.filter((column) => !late.includes(column));
  return [...rest.slice(0, 1), ...late, ...rest.slice(1)].map((column) => column.name);
}

/** @param {any[]} columns @param {State} state @returns {string[]} those that are shown, in order */
export function shownOf(columns, state) {
  const known = state.columns ? columns.map((column) => column.name) : usualOrder(columns);
  const names = state.columns ? state.columns.filter((name) => known.includes(name)) : known;
  const pins = state.pins.filter((name) => names.includes(name));
  return [...pins, ...names.filter((name) => !pins.includes(name))];
}

/** @param {any[]} columns of a view before @param {State} state @returns {any[]} with those that it computes */
export function withComputed(columns, state) {
  const known = new Map(columns.filter((column) => column.computed).map((column) => [column.name, column]));
  return [...columns.filter((column) => !column.computed), ...state.compute.map(([name]) => known.get(name) ?? { name, type: "computed", role: "other", kind: "any", computed: true })];
}
