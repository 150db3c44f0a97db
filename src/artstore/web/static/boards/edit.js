// @ts-check
// The dialogs of a board: a panel added or changed, a board saved, another one chosen.

import { ApiError, reached } from "../api.js";
import { fetched } from "./data.js";
import { apiAddress } from "./live.js";
import { PARTS } from "./state.js";
import { axisChoice } from "./tools.js";
import { h } from "../dom.js";
import { ask, menu, openPopup } from "../popup.js";

const LISTED = 500;
const KEYS_MAX = 20;
/** @type {[string, string][]} */
const KINDS = [["line", "Lines"], ["scatter", "One metric over another"], ["histogram", "Histograms over steps"], ["text", "Note"]];

/** What several runs differ in. @param {any} board @returns {string[]} */
function valueNames(board) {
  return [...new Set(board.runs.flatMap((/** @type {any} */ run) => Object.keys(run.values ?? {})))];
}

/** @param {any} board @param {string[]} chosen @param {() => string} kindOf */
function keyChoice(board, chosen, kindOf) {
  const find = h("input", { type: "search", placeholder: "Find metrics", "aria-label": "Find metrics", spellcheck: "false", oninput: () => fill() });
  const list = h("select", { name: "keys", multiple: true, size: 8, "aria-label": "Metrics" });
  const marked = new Set(chosen);
  const fill = () => {
    const wanted = find.value.trim().toLowerCase();
    const kind = kindOf();
    const types = kind === "histogram" ? ["histogram"] : ["number", "bool"];
    const names = kind === "parallel" ? valueNames(board) : board.keys.filter((/** @type {any} */ one) => types.includes(one.type)).map((/** @type {any} */ one) => one.key);
    const shown = [...new Set([...marked, ...names])].filter((name) => marked.has(name) || name.toLowerCase().includes(wanted)).slice(0, LISTED);
    list.replaceChildren(...shown.map((name) => h("option", { value: name, selected: marked.has(name) }, name)));
  };
  list.addEventListener("change", () => {
    for (const option of list.options) {
      if (option.selected) marked.add(option.value);
      else marked.delete(option.value);
    }
  });
  fill();
  const renew = () => {
    marked.clear();
    fill();
  };
  return { element: h("div", { class: "key-choice" }, find, list), renew, keys: () => [...marked].slice(0, KEYS_MAX) };
}

/** @param {any} board @param {any} look */
function lookFields(board, look) {
  const choice = (/** @type {string} */ name, /** @type {boolean|undefined} */ value) => h("select", { name }, ...[["", "as the board"], ["yes", "yes"], ["no", "no"]].map(([key, told]) => h("option", { value: key, selected: key === (value === undefined ? "" : value ? "yes" : "no") }, told)));
  const axis = axisChoice(board, look.x ?? "", [["", "as the board"]]);
  axis.name = "x";
  const smoothing = h("input", { type: "number", name: "smoothing", min: 0, max: 0.999, step: "any", value: look.smoothing ?? "", placeholder: "as the board" });
  const fields = [
    h("label", null, "Title", h("input", { name: "title", maxlength: 200, value: look.title ?? "", autocomplete: "off" })),
    h("label", null, "X axis", axis),
    h("label", null, "Smoothing, 0 to 0.999", smoothing),
    h("label", null, "Log y", choice("logY", look.logY)),
    h("label", null, "Log x", choice("logX", look.logX)),
    board.groups.length ? h("label", null, "Band by", h("select", { name: "group" }, h("option", { value: "" }, "as the board"), ...board.groups.map((/** @type {string} */ one) => h("option", { selected: one === look.group }, one)))) : null,
  ].filter(Boolean);
  const read = (/** @type {FormData} */ form) => {
    /** @type {any} */
    const told = {};
    for (const name of ["title", "x", "group"]) if (form.get(name)) told[name] = String(form.get(name));
    if (form.get("smoothing")) told.smoothing = Math.min(Math.max(Number(form.get("smoothing")), 0), 0.999);
    for (const name of ["logX", "logY"]) if (form.get(name)) told[name] = form.get(name) === "yes";
    return told;
  };
  return { fields, read };
}

/** @param {any} board */
export function addPanel(board) {
  const kinds = valueNames(board).length ? [...KINDS, ["parallel", "Runs side by side"]] : KINDS;
  const kind = h("select", { name: "kind" }, ...kinds.map(([value, name]) => h("option", { value }, name)));
  const keys = keyChoice(board, [], () => kind.value);
  const text = h("textarea", { name: "text", maxlength: 5000, rows: 3 });
  const note = h("label", { hidden: true }, "Text", text);
  const hint = h("p", { class: "quiet" }, "");
  const { fields, read } = lookFields(board, {});
  const show = () => {
    keys.element.hidden = kind.value === "text";
    note.hidden = kind.value !== "text";
    hint.textContent = kind.value === "scatter" ? "The first metric is the axis, the others stand over it." : kind.value === "parallel" ? "An axis for each value that differs." : ["text", "histogram"].includes(kind.value) ? "" : "Several metrics may stand in one panel.";
  };
  kind.addEventListener("change", () => {
    keys.renew();
    show();
  });
  show();
  ask("Add panel", [h("label", null, "Kind", kind), keys.element, note, hint, ...fields], "Add", (form) => {
    const panel = { kind: kind.value, keys: kind.value === "text" ? [] : keys.keys(), ...read(form) };
    if (kind.value === "text") panel.text = text.value;
    board.state.panels.push(panel);
    board.changed();
    board.say("The panel is at the top");
  });
}

/** @param {any} board @param {any} view */
export function editPanel(board, view) {
  const { panel } = view;
  const { fields, read } = lookFields(board, panel);
  const isOwn = panel.key === undefined;
  const keys = isOwn && panel.kind !== "text" ? keyChoice(board, panel.keys, () => panel.kind) : null;
  const text = isOwn && panel.kind === "text" ? h("textarea", { maxlength: 5000, rows: 3 }, panel.text ?? "") : null;
  ask(`Settings of ${view.title}`, [...(keys ? [keys.element] : []), ...(text ? [h("label", null, "Text", text)] : []), ...fields], "Apply", (form) => {
    if (keys) panel.keys = keys.keys();
    if (text) panel.text = text.value;
    board.state.setLook(panel, read(form));
    board.changed();
  });
}

/** @param {any} board */
export function saveBoard(board) {
  const title = h("input", { name: "title", required: true, maxlength: 200, autocomplete: "off" });
  const description = h("textarea", { name: "description", maxlength: 10_000, rows: 3 });
  const error = h("p", { class: "failure", role: "alert", hidden: true });
  const button = h("button", { class: "main-button" }, "Save");
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const form = h("form", null, h("h2", null, "Save board"), h("p", { class: "quiet" }, "Everybody who uses this store finds it among the saved views. The same title again makes a new version of it."), h("label", null, "Title", title), h("label", null, "Description", description), error, h("p", { class: "buttons" }, close, button));
  const dialog = h("dialog", { class: "ask", "aria-label": "Save board" }, form);
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    [button.disabled, error.hidden] = [true, true];
    try {
      const told = await posted(apiAddress(board.project, "/views"), { title: title.value, description: description.value, address: board.state.address(), kind: "board" });
      dialog.replaceChildren(h("div", { role: "status" }, h("h2", null, "Save board"), h("p", null, "Saved as ", h("a", { href: told.address }, told.title), ".")), h("p", { class: "buttons" }, close));
      close.textContent = "Close";
      close.focus();
    } catch (failed) {
      const { message, hint } = /** @type {any} */ (failed);
      error.textContent = hint ? `${message}. ${hint}` : message;
      [button.disabled, error.hidden] = [false, false];
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {string} address @param {any} body */
async function posted(address, body) {
  const token = /** @type {HTMLMetaElement} */ (document.querySelector("meta[name=artstore-token]")).content;
  const answer = await reached(address, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json", "X-Artstore-Token": token }, body: JSON.stringify(body) });
  const value = await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(value?.error ?? {}, answer.status);
  return value;
}

/** Saved boards: chosen, one is put before these runs. @param {any} board @param {HTMLElement} anchor */
export async function openBoards(board, anchor) {
  /** @type {any[]} */
  let views = [];
  let told = "No board is saved in this project yet.";
  try {
    views = (await fetched(apiAddress(board.project, "/views?kind=board"))).views.filter((/** @type {any} */ one) => !one.problem);
  } catch (error) {
    told = /** @type {any} */ (error).message;
  }
  const kept = [...new URLSearchParams(location.search)].filter(([name]) => !PARTS.includes(name));
  const items = views.map((view) => /** @type {[string, () => void]} */ ([view.title, () => {
    const own = view.query.filter((/** @type {[string, string]} */ [name]) => PARTS.includes(name));
    location.assign(`${location.pathname}?${new URLSearchParams([...kept, ...own])}`);
  }]));
  openPopup(anchor, menu("Saved boards", items.length ? items : [told]));
}
