// @ts-check
// Parts of a page fetched anew: the server makes them, as for readers without scripts.

import { ApiError, reached } from "../api.js";

/** @param {string} address @returns {Promise<Document|null>} a page; null: there is none any more */
export async function fetchedPage(address) {
  const answer = await reached(address, { headers: { Accept: "text/html" } });
  if (answer.status >= 500) throw new ApiError({}, answer.status);
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

/**
 * Put parts of the page as they are now in place of those that are there.
 * @param {string[]} ids
 * @returns {Promise<Document|null>} the page that they are of
 */
export async function refreshParts(ids) {
  const page = await fetchedPage(location.href);
  putParts(page, ids);
  return page;
}

/** The same of a page that was fetched already. @param {Document|null} page @param {string[]} ids */
export function putParts(page, ids) {
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
  merge(before, after);
  for (const one of before.querySelectorAll("details")) one.open = open.get(nameOf(one)) ?? one.open;
  if (focused >= 0 && !before.contains(document.activeElement)) /** @type {HTMLElement|undefined} */ ([...before.querySelectorAll("a, button, summary")][focused])?.focus();
}

/** What says the same stays as it is: what somebody has marked in it, the focus, what is open. @param {Element} before @param {Element} after */
export function merge(before, after) {
  if (before.isEqualNode(after)) return;
  for (const name of new Set([...before.getAttributeNames(), ...after.getAttributeNames()])) {
    const text = name === "open" ? before.getAttribute(name) : after.getAttribute(name);
    if (text === null) before.removeAttribute(name);
    else if (text !== before.getAttribute(name)) before.setAttribute(name, text);
  }
  const [old, news] = [[...before.childNodes], [...after.childNodes].map((one) => document.importNode(one, true))];
  if (old.length !== news.length || old.some((one, at) => one.nodeName !== news[at].nodeName)) return void before.replaceChildren(...news);
  for (const [at, one] of old.entries()) {
    if (one instanceof Element) merge(one, /** @type {Element} */ (news[at]));
    else if (one.nodeValue !== news[at].nodeValue) one.nodeValue = news[at].nodeValue;
  }
}

/** The keys above a branch of a tree. @param {Element} branch */
function pathOf(branch) {
  const keys = [];
  for (let one = branch.parentElement?.closest("details"); one; one = one.parentElement?.closest("details")) keys.push(one.querySelector("summary .key")?.textContent ?? "");
  return keys.join("/");
}
