// @ts-check
// The menu of columns: found among thousands of keys, ticked, moved; the address has the rest.

import { grouped, h } from "../dom.js";
import { closePopup, openPopup } from "../popup.js";

const SHOWN_MAX = 200;


/**
 * @param {any} page
 * @param {HTMLElement} anchor
 */
export async function openRunColumns(page, anchor) {
  const names = /** @type {string[]} */ ([...page.state.columns]);
  const box = h("input", { type: "search", placeholder: "find a key", "aria-label": "Find a column", autocomplete: "off", spellcheck: "false" });
  const chosen = h("ul", { class: "chosen-columns", "aria-label": "Shown columns, in order" });
  const list = h("div", { class: "column-list", role: "group", "aria-label": "Columns" }, h("p", { class: "quiet" }, "…"));
  const told = h("p", { class: "quiet", role: "status" });
  const apply = () => {
    closePopup();
    page.change((/** @type {URLSearchParams} */ query) => query.set("columns", names.join(",")), { isNew: true, keepsPlots: true });
  };
  const reset = () => {
    closePopup();
    page.change((/** @type {URLSearchParams} */ query) => query.delete("columns"), { isNew: true, keepsPlots: true });
  };
  const content = h("form", { class: "run-columns", "aria-label": "Columns", role: "dialog", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); apply(); } },
    box, told, list, h("h3", null, "Shown"), chosen,
    h("p", { class: "buttons" }, h("button", { class: "primary" }, "Show these"), " ", h("button", { type: "button", onclick: reset }, "As at first")));
  openPopup(anchor, content);

  /** @type {{name: string, kind: string, run_count: number|null, differs: boolean}[]} */
  let known = [];
  const order = () => {
    chosen.replaceChildren(...names.map((name, at) => h("li", null,
      h("span", { class: "mono" }, h("bdi", null, name)),
      move(name, at, -1, "Move up", "↑"), move(name, at, 1, "Move down", "↓"),
      h("button", { type: "button", "aria-label": `Hide ${name}`, onclick: () => { names.splice(at, 1); show(); } }, "×"))));
  };
  /** @param {string} name @param {number} at @param {number} step @param {string} word @param {string} sign */
  const move = (name, at, step, word, sign) => h("button", {
    type: "button", "aria-label": `${word} ${name}`, "data-move": `${step}:${name}`, disabled: at + step < 0 || at + step >= names.length,
    onclick: () => {
      names.splice(at, 1);
      names.splice(at + step, 0, name);
      order();
      /** @type {HTMLElement|undefined} */ ([...chosen.querySelectorAll("[data-move]")].find((one) => one.dataset.move === `${step}:${name}`))?.focus();
    },
  }, sign);
  const show = () => {
    const wanted = box.value.trim().toLowerCase();
    const found = wanted ? known.filter((one) => one.name.toLowerCase().includes(wanted)) : known;
    told.textContent = `${grouped(found.length)} of ${grouped(known.length)} columns${found.length > SHOWN_MAX ? `, the first ${SHOWN_MAX} are listed` : ""}`;
    list.replaceChildren(...found.slice(0, SHOWN_MAX).map((one) =>
      h("label", null, h("input", { type: "checkbox", checked: names.includes(one.name), onchange: (/** @type {Event} */ event) => {
        const isOn = /** @type {HTMLInputElement} */ (event.target).checked;
        if (isOn) names.push(one.name);
        else names.splice(names.indexOf(one.name), 1);
        order();
      } }), " ", h("bdi", { class: "mono" }, one.name), " ", h("small", null, one.run_count === null ? "" : `${grouped(one.run_count)} runs${one.differs ? ", differs" : ""}`))));
    order();
  };
  box.addEventListener("input", show);
  box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && event.preventDefault());
  order();
  try {
    const answer = await fetch(`${page.links.api}?show=columns`);
    const value = await answer.json();
    known = [...value.facts.map((/** @type {any} */ one) => ({ ...one, run_count: null, differs: false })), ...value.keys];
    show();
  } catch {
    told.textContent = "The server does not answer.";
    list.replaceChildren();
  }
}
