// @ts-check
// The matrix of a truth and a guess: how often which was taken for what; a cell leads to its rows.

import { lineOf } from "../cells/any.js";
import { badge } from "../cells/bars.js";
import { equals } from "../conditions.js";
import { grouped, h } from "../dom.js";
import { ask } from "../popup.js";
import { selectionPairs } from "../state.js";

const SHADES = 8;

/** @param {any} page @param {import("./comparing.js").Comparing} comparing */
export async function openMatrix(page, comparing) {
  const usable = page.columns.filter((/** @type {any} */ one) => ["text", "number", "bool", "time"].includes(one.role) && !["in", "changed"].includes(one.part));
  const bases = [...new Set(usable.map((/** @type {any} */ one) => one.base ?? one.name))];
  const [first, second] = ["truth", "guess"].map((name) => {
    const select = h("select", { "aria-label": name, onchange: () => load() }, h("option", { value: "" }, "…"), ...bases.map((base) => h("option", { value: base }, base)));
    return select;
  });
  const difference = h("input", { type: "checkbox", onchange: () => draw() });
  const choice = h("label", { hidden: true }, difference, " the difference");
  const body = h("div", { class: "matrices", tabindex: 0, role: "region", "aria-label": "Matrix" });
  const asked = comparing.get("matrix")[0];
  const dialog = ask("Matrix of truth and guess", [h("p", { class: "matrix-choice" }, h("label", null, "Truth, down ", first), h("label", null, "Guess, across ", second), choice), body], "");
  dialog.classList.add("matrix-dialog");
  dialog.addEventListener("close", () => comparing.put({ matrix: [] }, true));
  /** @type {any} */
  let answer = null;
  if (asked) {
    const at = bases.find((base) => asked.startsWith(`${base},`) && bases.includes(asked.slice(base.length + 1)));
    [first.value, second.value] = at ? [at, asked.slice(at.length + 1)] : ["", ""];
  }
  await load();

  async function load() {
    const named = first.value && second.value ? `${first.value},${second.value}` : "";
    if (named !== (comparing.get("matrix")[0] ?? "")) comparing.put({ matrix: named ? [named] : [] }, true);
    // Side by side each table is asked for what it has: the view says which.
    const pairs = selectionPairs({ ...page.state, sort: [] }).filter(([name]) => name !== "with" && name !== "how");
    const others = page.state.others.filter((/** @type {[string, string]} */ [name]) => ["with", "how", "truth", "guess"].includes(name));
    try {
      answer = await page.api.get("matrix", [...pairs, ...others, ...(named ? [/** @type {[string, any]} */ (["matrix", named])] : [])], { free: true });
      [first.value, second.value] = [answer.truth, answer.guess];
      draw();
    } catch (error) {
      answer = null;
      body.replaceChildren(h("p", { class: "quiet" }, first.value && second.value ? /** @type {Error} */ (error).message : "Choose the column of what is right, and that of what was guessed."));
    }
  }

  function draw() {
    const { matrices } = answer;
    choice.hidden = matrices.length !== 2;
    if (!choice.hidden && difference.checked) body.replaceChildren(differing(answer));
    else body.replaceChildren(...matrices.map((/** @type {any} */ one) => single(one)));
    if (!matrices.length) body.append(h("p", { class: "quiet" }, "no table has both columns"));
  }

  /** @param {any} one */
  function single(one) {
    const rows = one.truths.map((/** @type {any} */ truth, /** @type {number} */ row) => {
      const sum = one.counts[row].reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, one.other_guesses[row]);
      return [truth, one.guesses.map((/** @type {any} */ guess, /** @type {number} */ column) => {
        const n = one.counts[row][column];
        return cell(n ? grouped(n) : "", n ? Math.max(Math.round((n / sum) * SHADES), 1) : 0, () => show(one, truth, guess), `${lineOf(truth)} taken for ${lineOf(guess)}: ${grouped(n)} of ${grouped(sum)} rows`, JSON.stringify(truth) === JSON.stringify(guess));
      })];
    });
    return table(one.side === null ? [`${grouped(one.total)} rows`] : [badge(one.side), ` ${one.label}, ${grouped(one.total)} rows`], one.guesses, rows);
  }

  /** @param {any} told */
  function differing(told) {
    const [before, after] = told.matrices;
    const [truths, guesses] = ["truths", "guesses"].map((name) => [...new Map([...before[name], ...after[name]].map((label) => [JSON.stringify(label), label])).values()]);
    const count = (/** @type {any} */ one, /** @type {any} */ truth, /** @type {any} */ guess) => one.counts[one.truths.findIndex((/** @type {any} */ label) => JSON.stringify(label) === JSON.stringify(truth))]?.[one.guesses.findIndex((/** @type {any} */ label) => JSON.stringify(label) === JSON.stringify(guess))] ?? 0;
    const changes = truths.map((truth) => guesses.map((guess) => count(after, truth, guess) - count(before, truth, guess)));
    const most = Math.max(...changes.flat().map(Math.abs), 1);
    const rows = truths.map((truth, row) => [truth, guesses.map((guess, column) => {
      const n = changes[row][column];
      return cell(n ? `${n > 0 ? "+" : "−"}${grouped(Math.abs(n))}` : "", n ? Math.max(Math.round((Math.abs(n) / most) * SHADES), 1) : 0, () => show(n < 0 ? before : after, truth, guess), `${lineOf(truth)} taken for ${lineOf(guess)}: ${grouped(count(before, truth, guess))} before, ${grouped(count(after, truth, guess))} now`, JSON.stringify(truth) === JSON.stringify(guess));
    })]);
    return table([`from ${before.label} to ${after.label}`], guesses, rows);
  }

  /** @param {any[]} caption @param {any[]} guesses @param {any[]} rows */
  function table(caption, guesses, rows) {
    return h(
      "table",
      { class: "matrix" },
      h("caption", null, ...caption),
      h("thead", null, h("tr", null, h("td"), ...guesses.map((label) => h("th", { scope: "col" }, lineOf(label).slice(0, 24))))),
      h("tbody", null, ...rows.map(([label, cells]) => h("tr", null, h("th", { scope: "row" }, lineOf(label).slice(0, 24)), ...cells))),
    );
  }

  /** @param {string} text @param {number} shade @param {() => void} run @param {string} told @param {boolean} isRight */
  function cell(text, shade, run, told, isRight) {
    return h("td", { class: `shade-${shade}${isRight ? " right-guess" : ""}` }, text ? h("button", { type: "button", title: told, "aria-label": told, onclick: run }, text) : null);
  }

  /** @param {any} one @param {any} truth @param {any} guess */
  function show(one, truth, guess) {
    const conditions = [equals(one.truth_column, truth), equals(one.guess_column, guess), comparing.how === "side" ? null : one.condition].filter(Boolean);
    const before = new Set(page.state.where);
    dialog.close();
    page.change({ where: [...page.state.where, ...conditions.filter((text) => !before.has(text))], group: [], start: 0 }, true);
  }
}
