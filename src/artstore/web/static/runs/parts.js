// @ts-check
// Parts of a page fetched anew: the server makes them, as for readers without scripts.

import { reached } from "../api.js";

/** @param {string} address @returns {Promise<Document|null>} a page; null: the server has none to give now */
export async function fetchedPage(address) {
  const answer = await reached(address, { headers: { Accept: "text/html" } });
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

/**
 * Put parts of the page as they are now in place of those that are there.
 * @param {string[]} ids
 */
export async function refreshParts(ids) {
  const page = await fetchedPage(location.href);
  for (const id of page ? ids : []) {
    const [before, after] = [document.getElementById(id), page?.getElementById(id)];
    if (before && after) replaceKept(before, after);
  }
}

/** @param {Element} before @param {Element} after */
function replaceKept(before, after) {
  // Who writes or reads with the keyboard there is not disturbed.
  if (before.isEqualNode(after) || before.querySelector("input:focus, textarea:focus")) return;
  const nameOf = (/** @type {Element} */ one) => `${pathOf(one)} ${one.querySelector("summary .key")?.textContent ?? ""}`;
  const open = new Map([...before.querySelectorAll("details")].map((one) => [nameOf(one), one.open]));
  const focused = before.contains(document.activeElement) ? [...before.querySelectorAll("a, button, summary")].indexOf(/** @type {Element} */ (document.activeElement)) : -1;
  before.replaceChildren(...[...after.childNodes].map((one) => document.importNode(one, true)));
  for (const one of before.querySelectorAll("details")) one.open = open.get(nameOf(one)) ?? one.open;
  if (focused >= 0) /** @type {HTMLElement|undefined} */ ([...before.querySelectorAll("a, button, summary")][focused])?.focus();
}

/** The keys above a branch of a tree. @param {Element} branch */
function pathOf(branch) {
  const keys = [];
  for (let one = branch.parentElement?.closest("details"); one; one = one.parentElement?.closest("details")) keys.push(one.querySelector("summary .key")?.textContent ?? "");
  return keys.join("/");
}
