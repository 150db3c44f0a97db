// @ts-check
// What a person changed of a board, and how an address tells it: the server reads it there.

/**
 * @typedef {{key: string, type: string, x?: string|null, is_hidden?: boolean}} Key
 * @typedef {{x?: string, smoothing?: number, logX?: boolean, logY?: boolean, group?: string, title?: string}} Look
 * @typedef {Look & {kind: string, keys: string[], key?: string, ownX?: string, text?: string}} Panel
 * @typedef {{name: string, panels: Panel[], isOwn: boolean}} Section
 */

/** The parts of an address that are a board's. */
export const PARTS = ["x", "smooth", "log", "band", "panel", "set", "hide", "move", "open", "fold"];

const MANY = 60;
const LOOKS = ["x", "smoothing", "logX", "logY", "group", "title"];

/** @param {string} key */
export function sectionOf(key) {
  const at = key.indexOf("/");
  return at < 0 ? "" : key.slice(0, at);
}

export class BoardState {
  /** @param {any} board as the server tells it */
  constructor(board) {
    this.x = board.x;
    this.smoothing = board.smoothing;
    this.logX = board.logX;
    this.logY = board.logY;
    this.group = board.group;
    /** @type {Panel[]} */
    this.panels = board.panels;
    /** @type {Map<string, Look>} */
    this.looks = new Map(board.changed.map((/** @type {any} */ { key, ...look }) => [key, look]));
    /** @type {Set<string>} */
    this.hidden = new Set(board.hidden);
    /** @type {[string, number][]} */
    this.moves = board.moves;
    /** @type {Set<string>} */
    this.opened = new Set(board.open);
    /** @type {Set<string>} */
    this.folded = new Set(board.folded);
  }

  /**
   * Their own panels, then a section for each prefix; keys without one are last.
   * @param {Key[]} keys
   * @returns {Section[]}
   */
  sections(keys) {
    /** @type {Map<string, Panel[]>} */
    const found = new Map();
    for (const { key, type, x, is_hidden } of keys) {
      const kind = { number: "line", bool: "line", histogram: "histogram" }[type];
      if (!kind || is_hidden || this.hidden.has(key)) continue;
      const name = sectionOf(key);
      if (!found.has(name)) found.set(name, []);
      found.get(name)?.push({ kind, keys: [key], key, ...(x ? { ownX: x } : {}), ...this.looks.get(key) });
    }
    for (const [key, place] of this.moves) {
      const members = found.get(sectionOf(key)) ?? [];
      const at = members.findIndex((panel) => panel.key === key);
      if (at >= 0) members.splice(Math.min(place, members.length - 1), 0, ...members.splice(at, 1));
    }
    const named = [...found].sort(([one], [two]) => Number(one === "") - Number(two === "") || (one < two ? -1 : 1));
    const sections = named.map(([name, panels]) => ({ name, panels, isOwn: false }));
    return this.panels.length ? [{ name: "", panels: this.panels, isOwn: true }, ...sections] : sections;
  }

  /** @param {Section[]} sections @param {Section} section */
  isOpen(sections, section) {
    if (section.isOwn) return true;
    if (this.opened.has(section.name)) return true;
    if (this.folded.has(section.name)) return false;
    const count = sections.reduce((sum, one) => sum + (one.isOwn ? 0 : one.panels.length), 0);
    return count <= MANY || section === sections.find((one) => !one.isOwn);
  }

  /** @param {string} name @param {boolean} isOpen */
  setOpen(name, isOpen) {
    (isOpen ? this.folded : this.opened).delete(name);
    (isOpen ? this.opened : this.folded).add(name);
  }

  /** What a panel looks like, with what it does not say itself. @param {Panel} panel */
  lookOf(panel) {
    const { x, smoothing, logX, logY, group } = this;
    const own = Object.fromEntries(Object.entries(panel).filter(([name]) => LOOKS.includes(name)));
    // What `define_metric` said of a metric counts until somebody chooses an axis.
    return { x: x === "_step" && panel.ownX ? panel.ownX : x, smoothing, logX, logY, group, ...own };
  }

  /** @param {Panel} panel @param {Look} look what is different from the others */
  setLook(panel, look) {
    if (panel.key === undefined) {
      for (const name of LOOKS) delete (/** @type {any} */ (panel)[name]);
      Object.assign(panel, look);
    } else if (Object.keys(look).length) this.looks.set(panel.key, look);
    else this.looks.delete(panel.key);
  }

  /** @param {Panel} panel @param {number} place in its section */
  move(panel, place) {
    if (panel.key === undefined) {
      const at = this.panels.indexOf(panel);
      if (at >= 0) this.panels.splice(place, 0, ...this.panels.splice(at, 1));
      return;
    }
    const last = this.moves.at(-1);
    if (last?.[0] === panel.key) this.moves.pop();
    this.moves.push([panel.key, place]);
  }

  /** @param {Panel} panel */
  remove(panel) {
    if (panel.key !== undefined) this.hidden.add(panel.key);
    else this.panels = this.panels.filter((one) => one !== panel);
  }

  /** @returns {[string, string][]} */
  pairs() {
    /** @type {[string, string][]} */
    const pairs = [];
    if (this.x !== "_step") pairs.push(["x", this.x]);
    if (this.smoothing) pairs.push(["smooth", String(this.smoothing)]);
    if (this.logX || this.logY) pairs.push(["log", `${this.logX ? "x" : ""}${this.logY ? "y" : ""}`]);
    if (this.group) pairs.push(["band", this.group]);
    for (const panel of this.panels) pairs.push(["panel", JSON.stringify(panel)]);
    for (const [key, look] of this.looks) pairs.push(["set", JSON.stringify({ key, ...look })]);
    for (const key of this.hidden) pairs.push(["hide", key]);
    for (const [key, place] of this.moves) pairs.push(["move", `${place}:${key}`]);
    for (const name of this.opened) pairs.push(["open", name]);
    for (const name of this.folded) pairs.push(["fold", name]);
    return pairs;
  }

  /** The address of the page with this board: path and query. */
  address() {
    const kept = [...new URLSearchParams(location.search)].filter(([name]) => !PARTS.includes(name));
    const query = new URLSearchParams([...kept, ...this.pairs()]).toString();
    return query ? `${location.pathname}?${query}` : location.pathname;
  }
}
