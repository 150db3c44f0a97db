// @ts-check
// The page of a run: its board, its console, its media by step; what moves while it goes on.

import { mountBoard, dataOf } from "../boards/board.js";
import { follow } from "../boards/live.js";
import { byId } from "../dom.js";
import { followConsole } from "./console.js";
import { mountMedia } from "./media.js";
import { putParts, refreshParts } from "./parts.js";

const data = dataOf("run-data");
const run = { id: data.run, name: data.name, slot: 0 };

if (data.show === "charts" || data.show === "system") {
  const host = /** @type {HTMLElement} */ (byId("board"));
  mountBoard(host, { project: data.project, runs: [run], keys: data.keys, board: data.board, canSave: data.canSave, isLive: data.isLive, kind: data.show === "system" ? "system" : "history", revision: data.revision });
}
const printed = data.show === "console" ? followConsole(data) : null;
const media = data.show === "media" ? mountMedia(data) : null;

if (data.isLive) {
  const parts = data.show === "overview" ? ["run-head", "run-live"] : ["run-head"];
  follow(data.project, [data.run], async () => {
    // What was printed comes with the page that the head is of.
    const page = await printed?.more();
    if (page) putParts(page, parts);
    else await Promise.all([refreshParts(parts), media?.more()]);
  }, data.revision);
}
