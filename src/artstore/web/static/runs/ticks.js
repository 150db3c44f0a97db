// @ts-check
// Runs that are ticked: they stay so on other pages of the list, since the address has them.

import { byId, grouped, h } from "../dom.js";

const WAIT = 250;

export class RunsTicks {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    /** The box that was ticked last: with Shift, those between become like the next. @type {string|null} */
    this.anchor = null;
    this.timer = 0;
    document.addEventListener("click", (event) => {
      const box = /** @type {HTMLInputElement} */ (event.target);
      if (box.matches?.("#runs-table input[name=run]")) this.ticked(box, event.shiftKey);
    });
    document.addEventListener("submit", (event) => {
      const form = /** @type {HTMLFormElement} */ (event.target);
      if (form.id === "runs-choice") this.compare(event);
    });
  }

  /** @returns {HTMLInputElement[]} */
  get boxes() {
    return [...document.querySelectorAll(/** @type {"input"} */ ("#runs-table input[name=run]"))];
  }

  /** All that are ticked, wherever they are. @returns {string[]} */
  get chosen() {
    const here = new Map(this.boxes.map((box) => [box.value, box.checked]));
    const known = this.page.query.getAll("run").flatMap((/** @type {string} */ text) => text.split(",")).filter((/** @type {string} */ id) => here.get(id) ?? true);
    return [...new Set([...known, ...[...here].filter(([, isOn]) => isOn).map(([id]) => id)])];
  }

  /** @param {HTMLInputElement} box @param {boolean} isRange */
  ticked(box, isRange) {
    const boxes = this.boxes;
    const [from, to] = [boxes.findIndex((one) => one.value === this.anchor), boxes.indexOf(box)];
    if (isRange && from >= 0) {
      for (const one of boxes.slice(Math.min(from, to), Math.max(from, to) + 1)) one.checked = box.checked;
    }
    this.anchor = box.value;
    const most = this.page.data.chosenMax;
    if (this.chosen.length > most) {
      box.checked = false;
      this.tell(`at most ${grouped(most)} runs are compared at once`);
      return;
    }
    for (const one of boxes) one.closest("tr")?.classList.toggle("chosen", one.checked);
    this.tell();
    this.settle();
    this.timer = window.setTimeout(() => this.sent(), WAIT);
  }

  /** What waits to be told to the server: whoever loads the list tells it. */
  settle() {
    clearTimeout(this.timer);
  }

  /** @param {URLSearchParams} query of the list */
  tellIn(query) {
    const { chosen } = this;
    if (chosen.length) query.set("run", chosen.join(","));
    else query.delete("run");
  }

  /** A run that was picked in a chart: ticked, or not any more. @param {string} id */
  toggle(id) {
    const box = this.boxes.find((one) => one.value === id);
    if (box) {
      box.checked = !box.checked;
      this.ticked(box, false);
      return;
    }
    const { chosen } = this;
    const now = chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id];
    if (now.length <= this.page.data.chosenMax) this.sent(now);
  }

  /** @param {string} [problem] */
  tell(problem) {
    const count = this.chosen.length;
    byId("runs-chosen-count").replaceChildren(count ? h("strong", null, grouped(count)) : "", count ? " chosen" : "Tick runs to compare them.", problem ? h("span", { class: "problem" }, ` ${problem}`) : "");
    const compare = document.querySelector("#runs-choice .compare");
    compare?.classList.toggle("without-script", !count);
    this.page.plots?.choose(this.chosen);
  }

  shown() {
    this.page.plots?.choose(this.chosen);
  }

  /** The address tells what is ticked; the rows stay as they are. */
  sent(chosen = this.chosen) {
    const query = this.page.query;
    if (chosen.length) query.set("run", chosen.join(","));
    else query.delete("run");
    const address = `${this.page.links.list}${query.size ? `?${query}` : ""}`;
    history.replaceState(null, "", address);
    return this.page.load(address, { rows: this.page.state.isGrouped ? [] : this.page.ids, keepsPlots: true });
  }

  /** @param {SubmitEvent} event */
  compare(event) {
    event.preventDefault();
    const query = new URLSearchParams({ run: this.chosen.join(",") });
    if (this.chosen.length) location.assign(`${this.page.links.compare}?${query}`);
  }
}
