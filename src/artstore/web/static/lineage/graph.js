// @ts-check
// The page of a graph. The server draws it; here it is walked by keys, zoomed, and changed in place.

import { ApiError, reached } from "../api.js";
import { byId, h } from "../dom.js";
import { Card } from "./card.js";
import { Stage } from "./stage.js";

/** @typedef {SVGAElement} Tile */

class LineagePage {
  constructor() {
    this.card = new Card(this);
    /** The tile that was left to the left or right, by the one it led to. @type {Map<string, string>} */
    this.cameFrom = new Map();
    this.going = 0;
    this.bind(null);
    this.settle(this.roots()[0], false);
    if (this.current) this.stage.reveal(this.current, true);
    document.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("keydown", (event) => this.pressed(event));
    document.addEventListener("submit", (event) => this.sent(event));
    document.addEventListener("focusin", (event) => this.focused(event));
    this.shown = location.search;
    addEventListener("popstate", () => {
      // A step within the page changes no graph.
      if (location.search !== this.shown) this.go(location.href, { isStep: false });
    });
  }

  /** Take what the server has drawn. @param {number|null} zoom that of the graph before */
  bind(zoom) {
    /** @type {Map<string, Tile>} */
    this.tiles = new Map();
    for (const tile of /** @type {NodeListOf<Tile>} */ (document.querySelectorAll("a.tile"))) {
      this.tiles.set(/** @type {string} */ (tile.dataset.tile), tile);
      tile.setAttribute("tabindex", "-1");
    }
    /** @type {Map<string, Tile[]>} */
    this.layers = new Map();
    for (const tile of this.tiles.values()) {
      const layer = /** @type {string} */ (tile.dataset.layer);
      this.layers.set(layer, [...(this.layers.get(layer) ?? []), tile]);
    }
    for (const found of this.layers.values()) found.sort((a, b) => this.middle(a) - this.middle(b));
    /** @type {Map<string, Element[]>} */
    this.strands = new Map();
    for (const strand of document.querySelectorAll(".strand")) {
      const { from, to } = /** @type {HTMLElement} */ (strand).dataset;
      for (const end of [from ?? "", to ?? ""]) this.strands.set(end, [...(this.strands.get(end) ?? []), strand]);
    }
    this.stage = new Stage(byId("lineage-stage"), byId("lineage-graph"), zoom);
    /** @param {string} words @param {string} label @param {() => void} run */
    const tool = (words, label, run) => h("button", { type: "button", "aria-label": label, title: label, onclick: run }, words);
    byId("lineage-tools").replaceChildren(
      tool("+", "Zoom in", () => this.stage.step(1)),
      tool("−", "Zoom out", () => this.stage.step(-1)),
      tool("All", "See all of it", () => this.stage.fit()),
    );
    byId("lineage-keys").hidden = false;
  }

  /** @param {Tile} tile */
  middle(tile) {
    return tile.transform.baseVal.getItem(0).matrix.f;
  }

  roots() {
    const all = [...this.tiles.values()];
    return all.filter((tile) => tile.classList.contains("root")).reverse().concat(all);
  }

  /** @param {string} address */
  async ask(address) {
    const answer = await reached(address, { headers: { Accept: "application/json" } });
    const value = await answer.json();
    if (!answer.ok) throw new ApiError(value.error ?? {}, answer.status);
    return value;
  }

  /** Make a tile the one that Tab leads to. @param {Tile|undefined} tile @param {boolean} isFocused whether it gets the focus */
  settle(tile, isFocused) {
    if (!tile) return;
    this.current?.setAttribute("tabindex", "-1");
    this.current = tile;
    tile.setAttribute("tabindex", "0");
    if (isFocused) tile.focus({ preventScroll: true });
  }

  /** To a tile, and see it. @param {Tile} tile */
  walk(tile) {
    this.settle(tile, true);
    this.stage.reveal(tile);
  }

  /** @param {FocusEvent} event */
  focused(event) {
    for (const strand of document.querySelectorAll(".strand.near")) strand.classList.remove("near");
    const tile = /** @type {Tile|null} */ (/** @type {Element} */ (event.target).closest("a.tile"));
    if (!tile) return;
    for (const strand of this.strands.get(tile.dataset.tile ?? "") ?? []) strand.classList.add("near");
    if (tile !== this.current) this.settle(tile, false);
    // What the pointer is on must not be moved away under it.
    if (tile.matches(":focus-visible")) this.stage.reveal(tile);
  }

  // What is asked for by pointer and by keys.

  /** @param {MouseEvent} event */
  clicked(event) {
    const link = /** @type {HTMLAnchorElement|null} */ (/** @type {Element} */ (event.target).closest("a"));
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (link.matches("a.tile")) {
      event.preventDefault();
      const tile = /** @type {any} */ (link);
      if (this.stage.wasDragged) return;
      this.settle(tile, true);
      this.card.open(tile, false);
    } else if (link.hasAttribute("data-swap")) {
      event.preventDefault();
      this.go(link.href, { focus: this.current });
    } else if (link.hash.startsWith("#t-") && link.pathname === location.pathname) {
      event.preventDefault();
      this.walk(/** @type {Tile} */ (this.tiles.get(link.hash.slice(3))));
    }
  }

  /** @param {SubmitEvent} event */
  sent(event) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches(".lineage-form")) return;
    event.preventDefault();
    const fields = [...new FormData(form)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(/** @type {[string, string][]} */ (fields));
    this.go(`${form.action}?${query}`, { focus: this.current, isSearch: document.activeElement?.id === "lineage-search" });
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape" && this.card.isOpen) {
      this.card.close();
      return;
    }
    if (at.matches("input, select, textarea")) return;
    const tile = /** @type {Tile|null} */ (/** @type {any} */ (at).closest("a.tile"));
    const run = this.orders(tile)[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }

  /** What keys do. @param {Tile|null} tile that has the focus @returns {Record<string, () => void>} */
  orders(tile) {
    /** @type {Record<string, () => void>} */
    const orders = {
      "/": () => byId("lineage-search").select(),
      "+": () => this.stage.step(1),
      "=": () => this.stage.step(1),
      "-": () => this.stage.step(-1),
      0: () => this.stage.fit(),
    };
    if (!tile) return orders;
    return {
      ...orders,
      ArrowRight: () => this.along(tile, "after"),
      ArrowLeft: () => this.along(tile, "before"),
      ArrowDown: () => this.beside(tile, 1),
      ArrowUp: () => this.beside(tile, -1),
      Home: () => this.walk(this.roots()[0]),
      Enter: () => this.card.open(tile, true),
      e: () => this.explode(tile),
    };
  }

  /** To the next tile along an edge: the one it was left by, else the nearest. @param {Tile} tile @param {"before"|"after"} side */
  along(tile, side) {
    const keys = (tile.dataset[side] ?? "").split(" ").filter(Boolean);
    if (!keys.length) return;
    const known = this.cameFrom.get(`${side} ${tile.dataset.tile}`);
    const found = keys.map((key) => /** @type {Tile} */ (this.tiles.get(key)));
    /** @param {Tile} one */
    const layers = (one) => Math.abs(Number(one.dataset.layer) - Number(tile.dataset.layer));
    /** @param {Tile} one */
    const apart = (one) => Math.abs(this.middle(one) - this.middle(tile));
    found.sort((a, b) => layers(a) - layers(b) || apart(a) - apart(b));
    const next = known && keys.includes(known) ? /** @type {Tile} */ (this.tiles.get(known)) : found[0];
    // The way back leads to where one came from.
    this.cameFrom.set(`${side === "after" ? "before" : "after"} ${next.dataset.tile}`, tile.dataset.tile ?? "");
    this.walk(next);
  }

  /** @param {Tile} tile @param {number} by */
  beside(tile, by) {
    const layer = this.layers.get(tile.dataset.layer ?? "") ?? [];
    const next = layer[layer.indexOf(tile) + by];
    if (next) this.walk(next);
  }

  /** Unfold a group; of what came out of one, fold it again. @param {Tile} tile */
  explode(tile) {
    const { unfold, fold, tile: key, group } = tile.dataset;
    if (unfold) this.go(unfold, { focus: tile, group: key });
    else if (fold) this.go(fold, { focus: tile, key: group });
  }

  /**
   * Show another graph in place of this one.
   * @param {string} address
   * @param {{isStep?: boolean, focus?: Tile, group?: string, key?: string, isSearch?: boolean}} [options]
   *   which tile gets the focus: that of `key`, the first that came out of `group`, or `focus` again
   */
  async go(address, { isStep = true, focus, group, key, isSearch = false } = {}) {
    this.going += 1;
    const mine = this.going;
    const view = byId("lineage-view");
    view.setAttribute("aria-busy", "true");
    let found = null;
    let other = null;
    try {
      const answer = await reached(address);
      other = new DOMParser().parseFromString(await answer.text(), "text/html");
      found = other.getElementById("lineage-view");
    } catch (error) {
      if (mine !== this.going) return;
      byId("lineage-status").textContent = /** @type {Error} */ (error).message;
      view.removeAttribute("aria-busy");
      return;
    }
    if (mine !== this.going) return;
    if (!found || !other) {
      // What the server tells of an error is a page of its own.
      location.assign(address);
      return;
    }
    const zoom = this.stage.zoom;
    view.replaceWith(document.adoptNode(found));
    document.title = other.title;
    if (isStep) history.pushState(null, "", address);
    this.shown = location.search;
    this.cameFrom.clear();
    this.current = undefined;
    this.bind(zoom);
    const all = [...this.tiles.values()];
    const next = this.tiles.get(key ?? "") ?? all.find((tile) => group && tile.dataset.group === group) ?? this.tiles.get(focus?.dataset.tile ?? "") ?? this.roots()[0];
    const match = isSearch ? all.find((tile) => tile.querySelector(".found")) : null;
    this.settle(match ?? next, isStep);
    this.stage.reveal(match ?? next, true);
    if (isSearch && !match) byId("lineage-search").focus();
  }
}

if (byId("lineage-graph")) new LineagePage();
