// @ts-check
// Tables beside the one of the page: which ones, how, and what differs between them.

import { ABSENT, badge, sided } from "../cells/bars.js";
import { rendererOf } from "../cells/registry.js";
import { quoted } from "../conditions.js";
import { byId, debounced, grouped, h } from "../dom.js";
import { openMatrix } from "./matrix.js";
import { sidesPicture } from "./multihistogram.js";
import { ask, openPopup } from "../popup.js";
import { emptyState, queryOf, selectionPairs } from "../state.js";

const LABELS = /** @type {Record<string, string>} */ ({ both: "in both", changed: "changed", disagree: "disagree", regressed: "regressed", fixed: "fixed" });
const HINTS = /** @type {Record<string, string>} */ ({ disagree: "the guesses differ", regressed: "right before, wrong now", fixed: "wrong before, right now" });
const HOWS = [["merged", "merged"], ["side", "side by side"], ["concat", "one after the other"]];
const KEPT_MAX = 20_000;

export class Comparing {
  /** @param {any} page @param {any} told */
  constructor(page, told) {
    this.page = page;
    this.told = told;
    this.sides = told.sides ?? [];
    this.how = told.how ?? null;
    this.isMerged = this.how === "merged";
    this.flags = page.columns.filter((/** @type {any} */ column) => column.part === "in").map((/** @type {any} */ column) => column.name);
    /** @type {Map<string, any[]>} */
    this.cells = new Map();
    this.host = byId("table-compare");
    this.host.replaceChildren();
    this.counts = h("ul", { class: "sides", "aria-label": "Compared tables" });
    this.quick = h("ul", { class: "quick", "aria-label": "Quick filters" });
    if (this.how) this.bar();
    this.load = debounced(() => this.count(), 20);
  }

  // One column for those that are one in the tables.

  /** @param {any[]} columns @returns {any[]} */
  joined(columns) {
    if (!this.isMerged) return columns;
    const found = new Map();
    for (const column of columns) {
      const name = column.part === "cell" ? `=${column.base}` : `.${column.name}`;
      found.set(name, [...(found.get(name) ?? []), column]);
    }
    return [...found.values()].map((parts) => (parts.length < 2 ? parts[0] : { ...parts[0], label: parts[0].base, parts }));
  }

  /** @param {any} column @param {string} [chosen] */
  renderer(column, chosen) {
    const renderer = rendererOf(column, chosen);
    return column.parts ? sided(renderer, column.parts, column.kind === "number" && chosen !== "number") : renderer;
  }

  /** @param {any} windows @param {number} place @param {any} column @returns {any} the same array while the cells are the same */
  cell(windows, place, column) {
    if (!column.parts) return windows.cell(place, column.name);
    const values = column.parts.map((/** @type {any} */ part) => (windows.cell(place, this.flags[part.side]) === false ? ABSENT : windows.cell(place, part.name)));
    if (values.includes(undefined)) return undefined;
    const key = `${place} ${column.name}`;
    const kept = this.cells.get(key);
    if (kept?.every((value, at) => value === values[at])) return kept;
    if (this.cells.size > KEPT_MAX) this.cells.clear();
    this.cells.set(key, values);
    return values;
  }

  /** @param {any} column @returns {string[]} what is fetched for it */
  names(column) {
    return column.parts?.map((/** @type {any} */ part) => part.name) ?? [column.name];
  }

  /** @param {string[]} before @param {string[]} names @returns {string[]} columns of other sides come and go with theirs */
  withMates(before, names) {
    if (!this.isMerged) return names;
    const base = (/** @type {string} */ name) => this.page.columns.find((/** @type {any} */ one) => one.name === name && one.part === "cell")?.base;
    const gone = new Set(before.filter((name) => !names.includes(name)).map(base).filter(Boolean));
    const come = new Set(names.filter((name) => !before.includes(name)).map(base).filter(Boolean));
    const mates = this.page.columns.filter((/** @type {any} */ one) => one.part === "cell" && come.has(one.base) && !names.includes(one.name));
    return [...names.filter((name) => !gone.has(base(name))), ...mates.map((/** @type {any} */ one) => one.name)];
  }

  /** @param {number} side @param {string[]} names of columns here @returns {string[]} what they are called in one of the tables */
  namesOf(side, names) {
    if (!this.isMerged) return names.filter((name) => this.page.columnNamed(name).name !== this.page.columns[0].name);
    return names.map((name) => this.page.columnNamed(name)).filter((one) => one.base && (one.side === side || one.side === null)).map((one) => one.base);
  }

  /** @param {any} column @param {number} width @param {(condition: string) => void} choose @param {any[]} facets */
  picture(column, width, choose, facets) {
    return sidesPicture(facets, column.parts, width, choose);
  }

  /** @param {any} view @param {any} answer @param {any} group @param {any} column @param {string[]} conditions @returns {Node[]} */
  groupCell(view, answer, group, column, conditions) {
    const parts = column.parts.map((/** @type {any} */ part) => ({ part, summary: group.summaries.find((/** @type {any} */ one) => one.column === part.name), examples: group.examples[part.name] }));
    if (parts.some((/** @type {any} */ one) => one.examples)) return view.cell(answer, group, { ...column, parts: undefined }, conditions);
    const known = parts.filter((/** @type {any} */ one) => one.summary);
    const facets = known.map((/** @type {any} */ one) => view.facetOf(answer, one.summary));
    const picture = known.length && sidesPicture(facets, known.map((/** @type {any} */ one) => one.part), 132, (condition) => this.page.openGroup([...conditions, condition]));
    return [picture || null, ...known.map((/** @type {any} */ one) => h("div", { class: "head-summary", title: view.numbers(one.summary) }, badge(one.part.side), " ", view.told(one.summary)))].filter(Boolean);
  }

  // The bar above the rows.

  bar() {
    const { told } = this;
    const chosen = this.page.state.others.filter(([name]) => name === "key").map(([, text]) => text);
    const choice = h("select", { "aria-label": "Key", onchange: () => this.set({ key: told.keys[choice.value]?.parts ?? [], how: "merged" }) }, ...told.keys.map((/** @type {any} */ key, /** @type {number} */ at) => h("option", { value: at, selected: this.isMerged && key.label === told.key }, key.label)));
    if (this.isMerged && !told.keys.some((/** @type {any} */ key) => key.label === told.key)) choice.prepend(h("option", { value: "", selected: true }, chosen.join(", ")));
    const how = h("select", { "aria-label": "Shown", onchange: () => this.set({ how: how.value, key: [] }) }, ...HOWS.map(([value, label]) => h("option", { value, selected: this.how === value }, label)));
    this.host.append(
      h("div", { class: "compare-bar" }, this.how === "side" ? null : this.counts, h("label", null, "Shown ", how), this.isMerged ? h("span", { class: "key-choice" }, h("label", null, "by ", choice), told.shared.length > 1 ? this.columnsButton(told, chosen) : null) : null, this.isMerged && this.sides.length > 2 ? this.judgeChoice() : null, h("button", { type: "button", class: "tool", onclick: () => this.leave() }, "Stop comparing")),
      this.isMerged ? this.quick : "",
    );
  }

  /** A key of several columns. @param {any} told @param {string[]} chosen */
  columnsButton(told, chosen) {
    const now = new Set(chosen.length ? chosen : told.keys.find((/** @type {any} */ key) => key.label === told.key)?.parts);
    const open = (/** @type {MouseEvent} */ event) => {
      const boxes = told.shared.map((/** @type {string} */ name) => h("input", { type: "checkbox", value: name, checked: now.has(name), onchange: () => (go.disabled = !key().length) }));
      const key = () => boxes.filter((/** @type {HTMLInputElement} */ box) => box.checked).map((/** @type {HTMLInputElement} */ box) => box.value);
      const go = h("button", { type: "button", class: "tool", onclick: () => this.set({ key: key(), how: "merged" }) }, "Compare by these");
      go.disabled = !key().length;
      const content = h("div", { role: "dialog", "aria-label": "Columns of the key" }, h("p", { class: "quiet" }, "Rows are the same if all of these are"), h("div", { class: "column-list" }, ...boxes.map((/** @type {HTMLInputElement} */ box) => h("label", null, box, ` ${box.value}`))), go);
      openPopup(/** @type {HTMLElement} */ (event.currentTarget), content);
    };
    return h("button", { type: "button", class: "tool", "aria-haspopup": "dialog", "aria-label": "Columns of the key", onclick: open }, "columns…");
  }

  /** Of three and more tables two are judged. */
  judgeChoice() {
    const now = this.get("judge")[0]?.split(",").map(Number) ?? [0, 1];
    const choices = ["Judged from", "Judged to"].map((label, at) => h("select", { "aria-label": label, onchange: () => put(at) }, ...this.sides.map((/** @type {any} */ side, /** @type {number} */ value) => h("option", { value, selected: now[at] === value }, `${value} ${side.label}`))));
    const put = (/** @type {number} */ at) => {
      // A table is not judged by itself: the other one takes the place that is free.
      if (choices[0].value === choices[1].value) choices[1 - at].value = String(now[at]);
      choices.forEach((choice, place) => (now[place] = Number(choice.value)));
      this.put({ judge: [now.join(",")] });
    };
    return h("span", { class: "key-choice" }, h("span", null, "judged from "), choices[0], " to ", choices[1]);
  }

  /** The selection is another one. */
  changed() {
    if (this.how && this.how !== "side") this.load();
  }

  async count() {
    const pairs = selectionPairs({ ...this.page.state, sort: [] });
    try {
      const found = await this.page.api.get("sides", pairs);
      this.counts.replaceChildren(
        ...found.sides.map((/** @type {any} */ side, /** @type {number} */ at) => h("li", { title: this.sides[at].name }, badge(at), ` ${side.label} `, h("strong", null, grouped(side.matching)), ` of ${grouped(side.total)} rows${side.duplicates ? `, ${grouped(side.duplicates)} with a key that is there twice` : ""}${side.missing ? `, ${grouped(side.missing)} without a key` : ""}`)),
      );
      this.drawQuick(found);
    } catch (error) {
      this.page.fail(error);
    }
  }

  /** @param {any} found */
  drawQuick(found) {
    const now = this.get("quick")[0];
    const isMany = this.sides.length > 2;
    const judged = (this.get("judge")[0] ?? "0,1").split(",").map((at) => this.sides[Number(at)]?.label).join(" to ");
    this.quick.replaceChildren(
      ...found.quick.map((/** @type {any} */ one) => {
        const side = one.name.startsWith("only:") ? Number(one.name.slice(5)) : null;
        const label = side === null ? (one.name === "both" && isMany ? "in all" : LABELS[one.name]) : `only ${this.sides[side].label}`;
        const hint = HINTS[one.name] && (isMany ? `${HINTS[one.name]}: from ${judged}` : HINTS[one.name]);
        const isOn = now === one.name;
        return h("li", null, h("button", { type: "button", class: "tool", title: hint ?? null, "aria-pressed": String(isOn), onclick: () => this.put({ quick: isOn ? [] : [one.name] }) }, label, " ", h("small", null, `${grouped(one.matching)} of ${grouped(found.total)} rows`)));
      }),
    );
  }

  // The parts of the address.

  /** @param {string} name @returns {string[]} */
  get(name) {
    return this.page.state.others.filter(([other]) => other === name).map(([, text]) => text);
  }

  /** @param {Record<string, string[]>} parts @returns {[string, string][]} */
  others(parts) {
    return [...this.page.state.others.filter(([name]) => !Object.hasOwn(parts, name)), ...Object.entries(parts).flatMap(([name, texts]) => texts.map((text) => /** @type {[string, string]} */ ([name, text])))];
  }

  /** @param {Record<string, string[]>} parts @param {boolean} [isOnlyLook] */
  put(parts, isOnlyLook = false) {
    this.page.change({ others: this.others(parts), start: isOnlyLook ? this.page.state.start : 0 }, true, isOnlyLook);
  }

  /**
   * Another set of columns: the server paints the page anew.
   * @param {{tables?: string[], how?: string, key?: string[], truth?: string, guess?: string}} to
   */
  set(to) {
    const how = to.how ?? this.how ?? "merged";
    const tables = to.tables ?? this.get("with");
    const others = this.others({ with: tables, key: to.key ?? this.get("key"), how: how === "merged" || !tables.length ? [] : [how], quick: [] });
    const { state } = this.page;
    const isMerged = how === "merged" && tables.length > 0;
    const where = isMerged === this.isMerged ? state.where : state.where.map((/** @type {string} */ text) => (isMerged ? this.starred(text) : text.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\*\.(?=[\w"])/g, (part) => (part === "*." ? "" : part))));
    // Numbers are those of the rows as they stand here.
    const next = isMerged || this.isMerged ? { ...emptyState(), where, others } : { ...state, row: null, start: 0, among: null, chosen: "", others };
    const query = queryOf(next);
    location.assign(query ? `${this.page.links.page}?${query}` : this.page.links.page);
  }

  leave() {
    this.set({ tables: [], key: [] });
  }

  /** @param {string} text a condition of one table @returns {string} the same for each table */
  starred(text) {
    if (text.trimStart().startsWith("{")) return text.replace(/"\$(?=[A-Za-z_])/g, '"$*.');
    const names = new Set(this.page.columns.map((/** @type {any} */ one) => one.name));
    return text.replace(/'(?:[^']|'')*'|(?<![\w.])(?:"(?:[^"]|"")*"|[A-Za-z_]\w*)(?!\s*\()/g, (part) => {
      const name = part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
      return !part.startsWith("'") && names.has(name) ? `*.${quoted(name)}` : part;
    });
  }

  // The small dialog.

  async open() {
    const chosen = new Set(this.get("with"));
    const list = h("ul", { class: "version-list" }, h("li", { class: "quiet" }, "…"));
    const options = h("datalist", { id: "compare-names" });
    const box = h("input", { name: "name", "aria-label": "Any other table: project/artifact:v3/table", placeholder: `${this.told.collection}:v0/${this.page.name}`, list: "compare-names", autocomplete: "off", spellcheck: "false", maxlength: 1000 });
    box.addEventListener("input", debounced(() => this.complete(box.value, options), 120));
    const dialog = ask("Compare", [list, h("label", null, "Any other table ", box), options], chosen.size ? "Compare all" : "Compare", (form) => {
      const names = [...form.getAll("with"), form.get("name")].map(String).filter(Boolean);
      this.set({ tables: [...new Set(names)], key: [] });
    });
    dialog.classList.add("compare-dialog");
    try {
      const { versions, more } = await this.page.api.answer(await fetch(this.told.others));
      const others = [...chosen].filter((name) => !versions.some((/** @type {any} */ one) => one.name === name)).map((name) => ({ name, version: name, aliases: [], own: false }));
      const shown = [...others, ...versions.filter((/** @type {any} */ one) => !one.own)];
      list.replaceChildren(
        ...shown.map((/** @type {any} */ one) =>
          h("li", null, h("label", null, h("input", { type: "checkbox", name: "with", value: one.name, checked: chosen.has(one.name) }), ` ${one.version} `, h("small", null, [...one.aliases, one.created_at?.slice(0, 16).replace("T", " ")].filter(Boolean).join(" · "))), h("button", { type: "button", "aria-label": `Compare with ${one.version}`, onclick: () => this.set({ tables: [one.name], key: [] }) }, "Compare"))),
        ...(shown.length ? [] : [h("li", { class: "quiet" }, `no other version has a table ${this.page.name}`)]),
        ...(more ? [h("li", { class: "quiet" }, `${grouped(more)} older versions: name them below`)] : []),
      );
      list.querySelector("button")?.focus();
    } catch (error) {
      list.replaceChildren(h("li", { class: "quiet" }, /** @type {Error} */ (error).message));
    }
  }

  /** @param {string} text @param {HTMLElement} options */
  async complete(text, options) {
    const [project, name] = text.includes("/") ? text.split("/") : [this.told.collection.split("/")[0], text];
    const at = this.told.project.replace(/[^/]+$/, encodeURIComponent(project));
    const [artifact, version] = name.split(":");
    try {
      /** @type {string[]} */
      let found;
      if (version === undefined || !text.includes(":")) {
        const told = await this.page.api.answer(await fetch(at));
        found = told.collections.map((/** @type {any} */ one) => `${project}/${one.name}:${one.latest_version ?? "v0"}/`);
      } else {
        const told = await this.page.api.answer(await fetch(`${at}/c/${encodeURIComponent(artifact)}/${encodeURIComponent(version)}`));
        found = told.values.filter((/** @type {any} */ one) => one.kind.endsWith("table")).map((/** @type {any} */ one) => `${project}/${artifact}:${version}/${one.name}`);
      }
      options.replaceChildren(...found.map((value) => h("option", { value })));
    } catch {
      // What is half written is no name yet.
      options.replaceChildren();
    }
  }

  openMatrix() {
    openMatrix(this.page, this);
  }
}
