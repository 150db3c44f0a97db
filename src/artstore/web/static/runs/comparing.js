// @ts-check
// The page of runs side by side: the charts of all of them on one board, and their values as they are now.

import { mountBoard } from "../boards/board.js";
import { follow } from "../boards/live.js";
import { lookOf } from "../charts/palette.js";
import { byId } from "../dom.js";
import { refreshParts } from "./parts.js";

const BORDERS = ["solid", "dashed", "dotted"];
const PARTS = ["compare-count", "compare-values"];

const data = JSON.parse(byId("compare-data").textContent);
document.body.classList.add("scripted");
const board = mountBoard(byId("board"), data);

/** The head of a run has the colour and the dash of its lines. */
function markHeads() {
  for (const mark of document.querySelectorAll(/** @type {"span"} */ (".sides-key"))) {
    const { colour, dash } = lookOf(Number(mark.dataset.slot));
    mark.hidden = false;
    Object.assign(mark.style, { color: `var(--series-${colour})`, borderTopStyle: BORDERS[dash % BORDERS.length] });
  }
}
markHeads();

const live = data.runs.filter((/** @type {any} */ run) => run.isLive).map((/** @type {any} */ run) => run.id);
if (live.length) {
  follow(data.project, live, async () => {
    const page = await refreshParts(PARTS);
    markHeads();
    const told = page?.getElementById("compare-data")?.textContent;
    if (told) board.retell(JSON.parse(told).runs);
  }, data.revision);
}
