// @ts-check
// The card of a tile: what is known of a version or a run, its first pictures or rows, where it leads.

import { byId, grouped, h } from "../dom.js";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** @param {number} size */
function sized(size) {
  let [value, unit] = [size, 0];
  while (value >= 999.95 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return unit ? `${value.toFixed(1)} ${UNITS[unit]}` : `${size} B`;
}

/** @param {string} text */
const bdi = (text) => h("bdi", null, text);

/** @param {any} node */
function versionFacts(node) {
  return [
    ["Aliases", node.aliases.join(", ")],
    ["Tags", node.tags.map((/** @type {string} */ tag) => `#${tag}`).join(", ")],
    ["Type", node.type],
    ["Size", node.size_bytes === null ? null : sized(node.size_bytes)],
    ["Pushed", node.created_at],
    ["By", node.created_by],
    ["Digest", node.digest && h("code", null, node.digest)],
  ];
}

/** @param {any} node */
function runFacts(node) {
  const changed = node.uncommitted_changes ? " with uncommitted changes" : "";
  return [
    ["State", node.state],
    ["Job type", node.job_type],
    ["Started", node.started_at],
    ["Ended", node.ended_at],
    ["By", node.author],
    ["Commit", node.commit && h("span", null, h("code", null, node.commit), changed)],
    ["Repository", node.repository],
    ["Command", node.command && h("code", null, node.command)],
  ];
}

export class Card {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    this.asked = 0;
  }

  get element() {
    return byId("lineage-card");
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /**
   * @param {SVGElement} tile
   * @param {boolean} isTold whether the focus goes to the card
   */
  async open(tile, isTold) {
    this.close(false);
    const mine = this.asked;
    tile.classList.add("is-open");
    const { element } = this;
    element.hidden = false;
    element.replaceChildren(h("p", { class: "quiet" }, "…"));
    let told;
    try {
      told = await this.page.ask(`${this.page.stage.host.dataset.card}&tile=${tile.dataset.tile}`);
    } catch (error) {
      told = { title: tile.getAttribute("aria-label"), detail: /** @type {Error} */ (error).message, marks: [], causes: [], metrics: [], members: [], links: {}, more: [] };
    }
    if (mine !== this.asked) return;
    this.show(told);
    if (isTold) element.querySelector("h2").focus();
    else this.page.stage.reveal(tile);
    if (told.rows) await this.showRows(told.rows, mine);
  }

  /** @param {boolean} [isBack] whether the focus goes back to the tile */
  close(isBack = true) {
    const { element } = this;
    // What comes now was asked for a card that is there no more.
    this.asked += 1;
    element.hidden = true;
    element.replaceChildren();
    for (const tile of document.querySelectorAll(".tile.is-open")) {
      tile.classList.remove("is-open");
      if (isBack) /** @type {HTMLElement} */ (tile).focus();
    }
  }

  /** @param {any} told */
  show(told) {
    const { node, links } = told;
    /** @type {[string, any][]} */
    const facts = node ? (node.kind === "run" ? runFacts(node) : versionFacts(node)) : [];
    if (told.message) facts.unshift([node?.kind === "run" ? "Note" : "Message", told.message]);
    const listed = facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, typeof value === "string" ? bdi(value) : value)]);
    /** @type {[string, string|null|undefined, boolean][]} */
    const ways = [
      [node?.kind === "run" ? "Open the run" : "Open the version", links.page, false],
      ["Explode", links.unfold, true],
      ["Fold", links.fold, true],
      ["Extract", links.extract, true],
      ["Lineage of this one", links.lineage, false],
    ];
    this.element.replaceChildren(
      h("button", { type: "button", class: "close", onclick: () => this.close() }, "Close"),
      h("h2", { tabindex: -1 }, bdi(told.title)),
      h("p", { class: "quiet" }, bdi(told.detail)),
      told.marks.length ? h("div", { class: "note" }, h("b", null, told.marks.join(", ")), this.causes(told)) : "",
      h("p", { class: "actions" }, ...ways.filter(([, address]) => address).map(([words, address, isSwap]) => h("a", { class: "button", href: address, "data-swap": isSwap }, words))),
      listed.length ? h("dl", { class: "facts" }, ...listed) : "",
      ...this.metrics(told),
      ...this.members(told),
      h("div", { class: "card-rows" }),
    );
  }

  /** @param {any} told */
  causes(told) {
    if (!told.causes.length) return null;
    const list = h("ul", null, ...told.causes.map((/** @type {string} */ cause) => h("li", null, bdi(cause))));
    return told.causes.length <= 2 ? list : h("details", null, h("summary", null, `${told.causes.length} causes`), list);
  }

  /** @param {any} told */
  metrics(told) {
    if (!told.metrics.length) return [];
    const rows = told.metrics.flatMap((/** @type {[string, string]} */ [name, value]) => [h("dt", null, bdi(name)), h("dd", null, bdi(value))]);
    return [h("h3", null, "Metrics"), h("dl", { class: "facts" }, ...rows)];
  }

  /** @param {any} told */
  members(told) {
    if (!told.members.length) return [];
    const left = told.member_count - told.members.length;
    return [
      h("h3", null, `${grouped(told.member_count)} in it`),
      h("ul", null, ...told.members.map((/** @type {any} */ one) => h("li", null, one.page ? h("a", { href: one.page }, bdi(one.title)) : bdi(one.title), one.marks.length ? ` ${one.marks.join(", ")}` : null)), left ? h("li", { class: "quiet" }, `and ${grouped(left)} more`) : null),
    ];
  }

  /** @param {string} address @param {number} mine */
  async showRows(address, mine) {
    let told;
    try {
      told = await this.page.ask(address);
    } catch (error) {
      told = { told: /** @type {Error} */ (error).message, pictures: [], rows: [], columns: [], table: null };
    }
    if (mine !== this.asked) return;
    const head = told.table ? h("h3", null, h("a", { href: told.table.page }, bdi(told.table.name)), h("span", { class: "quiet" }, ` ${grouped(told.table.row_count)} rows`)) : told.pictures.length ? h("h3", null, "Pictures") : "";
    const pictures = told.pictures.map((/** @type {any} */ one) => h("li", null, h("a", { href: one.page }, h("img", { src: one.src, srcset: one.sharper ? `${one.sharper} 2x` : null, alt: one.told, title: one.told, class: one.small ? "small" : null, loading: "lazy" }))));
    this.element.querySelector(".card-rows").replaceChildren(
      head,
      pictures.length ? h("ul", { class: "pictures" }, ...pictures) : "",
      told.rows.length ? this.table(told) : "",
      told.told ? h("p", { class: "quiet" }, told.told) : "",
    );
  }

  /** @param {any} told */
  table(told) {
    const heads = h("tr", null, ...told.columns.map((/** @type {string} */ name) => h("th", { scope: "col" }, bdi(name))));
    const rows = told.rows.map((/** @type {string[]} */ cells) => h("tr", null, ...cells.map((cell) => h("td", null, bdi(cell)))));
    return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "First rows" }, h("table", null, h("thead", null, heads), h("tbody", null, ...rows)));
  }
}
