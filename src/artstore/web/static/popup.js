// @ts-check
// What opens above the page: menus and dialogs, closed by Escape or a click elsewhere.

import { h } from "./dom.js";

/** @type {HTMLElement|null} */
let open = null;
/** @type {HTMLElement|null} */
let opener = null;

/** @param {boolean} [isBack] whether the focus goes back to what opened it */
export function closePopup(isBack = true) {
  open?.remove();
  const from = opener;
  open = opener = null;
  if (isBack && from?.isConnected) from.focus();
}

/**
 * Show something below an element.
 * @param {HTMLElement} anchor
 * @param {HTMLElement} content
 */
export function openPopup(anchor, content) {
  const isAgain = opener === anchor;
  closePopup(false);
  if (isAgain) return;
  [open, opener] = [content, anchor];
  content.classList.add("popup");
  (document.getElementById("content") ?? document.body).append(content);
  const box = anchor.getBoundingClientRect();
  const left = Math.max(Math.min(box.left, innerWidth - content.offsetWidth - 8), 8);
  const below = box.bottom + 2;
  const top = below + content.offsetHeight > innerHeight - 8 ? Math.max(innerHeight - content.offsetHeight - 8, 8) : below;
  Object.assign(content.style, { left: `${left}px`, top: `${top}px`, maxHeight: `${innerHeight - 16}px` });
  /** @type {HTMLElement|null} */ (content.querySelector("[role=menuitem], input, button, select"))?.focus();
}

document.addEventListener("pointerdown", (event) => {
  const target = /** @type {Node} */ (event.target);
  if (open && !open.contains(target) && !opener?.contains(target)) closePopup(false);
});
document.addEventListener("keydown", (event) => {
  if (!open) return;
  if (event.key === "Escape") {
    event.stopPropagation();
    closePopup();
  }
  if ((event.key === "ArrowDown" || event.key === "ArrowUp") && open.getAttribute("role") === "menu") {
    event.preventDefault();
    const items = /** @type {HTMLElement[]} */ ([...open.querySelectorAll("[role=menuitem]")]);
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]?.focus();
  }
}, true);

/**
 * A menu of choices.
 * @param {string} label
 * @param {([string, () => void]|string|null)[]} items a name and what it does; a text is a head, null nothing
 */
export function menu(label, items) {
  const children = items
    .filter((item) => item !== null)
    .map((item) => {
      if (typeof item === "string") return h("div", { class: "menu-head", role: "presentation" }, item);
      const [name, run] = /** @type {[string, () => void]} */ (item);
      return h("button", {
        type: "button",
        role: "menuitem",
        tabindex: -1,
        onclick: () => {
          closePopup();
          run();
        },
      }, name);
    });
  return h("div", { class: "menu", role: "menu", "aria-label": label }, ...children);
}

/**
 * A small form in a dialog.
 * @param {string} title
 * @param {Node[]} content
 * @param {string} action the word on the button; none: there is only one that closes
 * @param {(form: FormData) => void} [done]
 */
export function ask(title, content, action, done) {
  const dialog = h("dialog", { class: "ask", "aria-label": title });
  const form = h("form", { method: "dialog" }, h("h2", null, title), ...content);
  form.append(h("p", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, action ? "Cancel" : "Close"), action ? h("button", { class: "main-button" }, action) : null));
  form.addEventListener("submit", () => done?.(new FormData(form)));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The keys of the page. */
export function help() {
  const keys = [
    ["j k ↓ ↑", "next and previous row"],
    ["← →", "cells of a row"],
    ["Page Up, Page Down", "a page of rows"],
    ["Ctrl Home, Ctrl End", "first and last row"],
    ["Enter", "open the row"],
    ["+ − 0", "a picture of the open row larger, smaller, all of it"],
    ["Space", "choose the row; with Shift, all rows from the one before"],
    ["f", "only rows with the value of the cell"],
    ["x", "only rows without it"],
    ["/", "write a condition"],
    ["g", "go to a row"],
    ["Escape", "close what is open"],
    ["?", "these keys"],
  ];
  const list = h("dl", { class: "keys" }, ...keys.flatMap(([key, told]) => [h("dt", null, h("kbd", null, key)), h("dd", null, told)]));
  const more = h("p", { class: "quiet" }, "Click a bar of a histogram, or drag over several, to filter by it; by keyboard ← → lead over the bars, Shift extends, Enter filters. Click a value to keep only its rows, with Alt to leave them out. Shift and a click on a head sorts by it too.");
  ask("Keys", [list, more], "");
}
