// @ts-check
// What stands above a board: the look of all panels, search, adding and saving.

import { PARTS } from "./state.js";
import { debounced, h } from "../dom.js";

const AXES_MAX = 200;
const WAIT = 200;

/**
 * The axes that panels may have.
 * @param {any} board
 * @param {string} chosen
 * @param {[string, string][]} [first]
 */
export function axisChoice(board, chosen, first = []) {
  const known = [...first, ...(board.kind === "system" ? [] : [["_step", "Step"]]), ["_relative", "Seconds since the start"], ["_timestamp", "Time"]];
  const numbers = board.keys.filter((/** @type {any} */ one) => one.type === "number").slice(0, AXES_MAX);
  const options = [...known, ...numbers.map((/** @type {any} */ one) => [one.key, one.key])];
  if (chosen && !options.some(([value]) => value === chosen)) options.push([chosen, chosen]);
  return h("select", null, ...options.map(([value, name]) => h("option", { value, selected: value === chosen }, name)));
}

/** @param {any} board */
export function boardTools(board) {
  const { state } = board;
  const axis = axisChoice(board, board.kind === "system" && state.x === "_step" ? "_relative" : state.x);
  axis.addEventListener("change", () => {
    state.x = axis.value;
    board.restyle(true);
  });
  const told = h("output", null, String(state.smoothing));
  const smoothing = h("input", { type: "range", min: 0, max: 0.999, step: 0.001, value: state.smoothing, oninput: () => {
    state.smoothing = Number(smoothing.value);
    told.textContent = smoothing.value;
    restyle();
  } });
  const restyle = debounced(() => board.restyle(false), 30);
  const log = (/** @type {"logX"|"logY"} */ name, /** @type {string} */ label) => h("label", null, h("input", { type: "checkbox", checked: state[name], onchange: (/** @type {any} */ event) => {
    state[name] = event.target.checked;
    board.restyle(false);
  } }), ` ${label}`);
  const find = h("input", { type: "search", placeholder: "Find metrics", "aria-label": "Find metrics", spellcheck: "false", oninput: debounced(() => {
    board.find = find.value.trim();
    board.draw();
  }, WAIT) });
  const button = (/** @type {string} */ name, /** @type {(anchor: HTMLElement) => void} */ run, props = {}) => h("button", { type: "button", ...props, onclick: (/** @type {any} */ event) => run(event.currentTarget) }, name);
  const reset = button("As at first", () => {
    const kept = [...new URLSearchParams(location.search)].filter(([name]) => !PARTS.includes(name));
    location.assign(`${location.pathname}?${new URLSearchParams(kept)}`);
  }, { hidden: true });
  const groups = board.groups.length ? h("select", { onchange: (/** @type {any} */ event) => {
    state.group = event.target.value;
    board.restyle(true);
  } }, h("option", { value: "" }, "nothing"), ...board.groups.map((/** @type {string} */ name) => h("option", { selected: name === state.group }, name))) : null;
  const element = h(
    "div",
    { class: "board-tools", role: "toolbar", "aria-label": "Board" },
    find,
    h("label", null, "X axis ", axis),
    h("label", null, "Smoothing ", smoothing, " ", told),
    log("logY", "log y"),
    log("logX", "log x"),
    groups ? h("label", null, "Band by ", groups) : null,
    button("Add panel", () => board.add(), { "aria-haspopup": "dialog" }),
    button("Boards", (anchor) => board.boards(anchor), { "aria-haspopup": "menu" }),
    board.canSave ? button("Save board", () => board.save(), { "aria-haspopup": "dialog" }) : null,
    reset,
  );
  return {
    element,
    show: () => {
      reset.hidden = !state.pairs().length;
    },
  };
}
