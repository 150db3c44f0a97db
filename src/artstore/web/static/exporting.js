// @ts-check
// The menu that saves rows as a file: those on the screen, or all of the selection.

import { reached } from "./api.js";
import { grouped, h } from "./dom.js";
import { menu, openPopup } from "./popup.js";
import { queryOf } from "./state.js";

const FORMATS = /** @type {const} */ ([["csv", "CSV"], ["parquet", "Parquet"], ["json", "JSON"], ["html", "HTML file"]]);
const ADDRESS_MAX = 6000;
/** Rows of one HTML file; the server refuses more. */
const FILE_ROWS = 1000;

/**
 * @param {any} app
 * @param {HTMLElement} anchor
 */
export function openExportMenu(app, anchor) {
  const { matching } = app.windows;
  const start = app.isGrouped ? 0 : app.grid.firstPlace();
  const count = Math.max(Math.min(Math.ceil(app.grid.viewHeight / app.grid.rowHeight) * (app.grid.perLine ?? 1), matching - start), 0);
  /** @param {"seen"|"all"} what @returns {[string, () => void][]} */
  const items = (what) => FORMATS.map(([format, label]) => [label, () => save(app, format, what, start, count)]);
  openPopup(anchor, menu("Export", [
    `All ${grouped(matching)} rows`,
    ...items("all"),
    `The ${grouped(count)} rows that are seen`,
    ...items("seen"),
  ]));
}

/**
 * @param {any} app
 * @param {string} format
 * @param {"seen"|"all"} what
 * @param {number} start
 * @param {number} count
 */
async function save(app, format, what, start, count) {
  const rows = what === "seen" ? count : app.windows.matching;
  if (format === "html" && rows > FILE_ROWS) {
    app.fail(new Error(`${grouped(rows)} rows are more than one HTML file holds, ${grouped(FILE_ROWS)}: filter them, or take Parquet, which holds any number`));
    return;
  }
  let query = queryOf({ ...app.state, start: what === "seen" ? start : 0, row: null });
  try {
    if (query.length > ADDRESS_MAX) query = `view=${await app.api.keep(query)}`;
    const part = what === "seen" ? `&start=${start}&count=${count}` : "";
    // A spreadsheet would run a text that begins with "=".
    const address = `${app.links.export}?${query}${query ? "&" : ""}format=${format}&what=${what}${part}&safe=1`;
    const { href, name } = format === "html" ? await fetched(app, address) : { href: address, name: true };
    const link = h("a", { href, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    if (format === "html") setTimeout(() => URL.revokeObjectURL(href), 60_000);
  } catch (error) {
    app.fail(error);
  }
}

/** What one file cannot hold is told on the page: a download that fails says nothing. @param {any} app @param {string} address */
async function fetched(app, address) {
  const response = await reached(address);
  if (!response.ok) await app.api.answer(response);
  const name = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  return { href: URL.createObjectURL(await response.blob()), name: decodeURIComponent(name ?? "rows.html") };
}
