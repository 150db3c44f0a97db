// @ts-check
// The menu that saves rows as a file: those on the screen, or all of the selection.

import { reached } from "../api.js";
import { grouped, h } from "../dom.js";
import { menu, openPopup } from "../popup.js";
import { queryOf } from "../state.js";

const FORMATS = /** @type {const} */ ([["csv", "CSV"], ["parquet", "Parquet"], ["json", "JSON"], ["html", "HTML file"]]);
const ADDRESS_MAX = 6000;
/** Rows of one HTML file; the server refuses more. */
const FILE_ROWS = 1000;

/**
 * @param {any} app
 * @param {HTMLElement} anchor
 * @param {string} [only] numbers of rows: only these are offered
 */
export function openExportMenu(app, anchor, only = "") {
  const { matching } = app.windows;
  const start = app.isGrouped ? 0 : app.grid.firstPlace();
  const count = Math.max(Math.min(Math.ceil(app.grid.viewHeight / app.grid.rowHeight) * (app.grid.perLine ?? 1), matching - start), 0);
  /** @param {"seen"|"all"|"chosen"} what @returns {[string, () => void][]} */
  const items = (what) => FORMATS.map(([format, label]) => [label, () => save(app, format, what, start, count)]);
  const chosen = app.chosen?.size ? [`The ${grouped(app.chosen.size)} chosen rows`, ...items("chosen")] : [];
  openPopup(anchor, menu("Export", only ? chosen : [
    ...chosen,
    `All ${grouped(matching)} rows`,
    ...items("all"),
    `The ${grouped(count)} rows that are seen`,
    ...items("seen"),
  ]));
}

/**
 * @param {any} app
 * @param {string} format
 * @param {"seen"|"all"|"chosen"} what
 * @param {number} start
 * @param {number} count
 */
async function save(app, format, what, start, count) {
  const rows = what === "seen" ? count : what === "chosen" ? app.chosen.size : app.windows.matching;
  if (format === "html" && rows > FILE_ROWS) {
    app.fail(new Error(`${grouped(rows)} rows are more than one HTML file holds, ${grouped(FILE_ROWS)}: filter them, or take Parquet, which holds any number`));
    return;
  }
  // Rows that were chosen are taken whatever the conditions of the view are.
  const part = what === "chosen" ? { among: app.chosen.text, where: [], others: app.comparing.others({ quick: [] }) } : {};
  let query = queryOf({ ...app.state, ...part, start: what === "seen" ? start : 0, row: null, chosen: "" });
  try {
    if (query.length > ADDRESS_MAX) query = `view=${await app.api.keep(query)}`;
    const window = what === "seen" ? `&start=${start}&count=${count}` : "";
    // A spreadsheet would run a text that begins with "=".
    const address = `${app.links.export}?${query}${query ? "&" : ""}format=${format}&what=${what === "seen" ? "seen" : "all"}${window}&safe=1`;
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
