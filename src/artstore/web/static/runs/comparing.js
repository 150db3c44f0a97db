// @ts-check
// The page of runs side by side: the charts of all of them on one board.

import { mountBoard } from "../boards/board.js";
import { lookOf } from "../charts/palette.js";
import { byId } from "../dom.js";

const BORDERS = ["solid", "dashed", "dotted"];

const data = JSON.parse(byId("compare-data").textContent);
document.body.classList.add("scripted");
mountBoard(byId("board"), data);

// The head of a run has the colour and the dash of its lines.
for (const mark of document.querySelectorAll(/** @type {"span"} */ (".sides-key"))) {
  const { colour, dash } = lookOf(Number(mark.dataset.slot));
  mark.hidden = false;
  Object.assign(mark.style, { color: `var(--series-${colour})`, borderTopStyle: BORDERS[dash % BORDERS.length] });
}
