// @ts-check
// The buttons above the rows.

import { openColumnList } from "./columnmenu.js";
import { byId, h } from "../dom.js";
import { openExportMenu } from "./exporting.js";
import { overlayMenu } from "./overlaymenu.js";
import { help, openPopup } from "../popup.js";

/** @param {any} page @returns {HTMLElement} the button of boxes and masks, which comes and goes */
export function showTools(page) {
  /** @param {string} name @param {(anchor: HTMLElement) => void} run @param {Record<string, any>} [props] */
  const button = (name, run, props) => h("button", { type: "button", class: "tool", onclick: (/** @type {MouseEvent} */ event) => run(/** @type {HTMLElement} */ (event.currentTarget)), ...props }, name);
  const overlays = button("Boxes and masks", (anchor) => openPopup(anchor, overlayMenu(page)), { hidden: true });
  byId("table-tools").replaceChildren(
    h("label", { class: "tool-label" }, "Group by ", page.groupChoice),
    button("Columns", (anchor) => openColumnList(page, anchor), { "aria-haspopup": "dialog" }),
    page.imageTools.element,
    overlays,
    page.links.matrix ? button("Compare", () => page.comparing.open(), { "aria-haspopup": "dialog" }) : "",
    page.links.matrix ? button("Matrix", () => page.comparing.openMatrix(), { "aria-haspopup": "dialog" }) : "",
    button("Go to row", () => page.askRow()),
    page.links.export ? button("Export", (anchor) => openExportMenu(page, anchor), { "aria-haspopup": "menu" }) : "",
    button("?", () => help(), { "aria-label": "Keys", title: "Keys" }),
  );
  return overlays;
}
