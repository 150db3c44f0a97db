// @ts-check
// What a run prints: its end is followed, earlier parts are loaded above it.

import { fetched } from "../boards/data.js";
import { apiAddress } from "../boards/live.js";
import { byId, h } from "../dom.js";

const KEPT_CHARS = 2_000_000;
const NEAR = 40;

/** @param {any} data of the page */
export function followConsole(data) {
  const box = /** @type {HTMLElement} */ (byId("console"));
  const params = new URLSearchParams(location.search);
  const isTail = !params.has("after") && !params.has("before");
  let { start, stop } = data;
  const size = byId("console-size");
  const address = (/** @type {string} */ part, /** @type {number} */ at) => apiAddress(data.project, `/runs/${encodeURIComponent(data.run)}?show=console&${part}=${at}`);
  if (isTail) box.scrollTop = box.scrollHeight;
  const earlier = byId("console-earlier");
  earlier?.addEventListener("click", async (/** @type {Event} */ event) => {
    event.preventDefault();
    const told = (await fetched(address("before", start))).console;
    const height = box.scrollHeight;
    box.prepend(told.text);
    box.scrollTop += box.scrollHeight - height;
    start = told.start;
    if (start <= 0) earlier.remove();
  });
  if (isTail && data.isLive) {
    const toggle = h("input", { type: "checkbox", checked: true });
    byId("console-actions").append(h("label", null, toggle, " Stay at the end"));
    box.addEventListener("scroll", () => {
      toggle.checked = box.scrollTop + box.clientHeight > box.scrollHeight - NEAR;
    });
    toggle.addEventListener("change", () => {
      if (toggle.checked) box.scrollTop = box.scrollHeight;
    });
    return {
      more: async () => {
        for (let rounds = 0; rounds < 20; rounds += 1) {
          const told = (await fetched(address("after", stop))).console;
          if (told.stop <= stop) break;
          const isAtEnd = toggle.checked;
          box.append(told.text);
          stop = told.stop;
          byId("console-empty")?.remove();
          // Of what came in hours only the end stays here; the rest is one link away.
          while ((box.textContent ?? "").length > KEPT_CHARS && box.childNodes.length > 1) box.firstChild?.remove();
          if (size) size.textContent = `${told.size_bytes.toLocaleString("en-US")} bytes in all`;
          if (isAtEnd) box.scrollTop = box.scrollHeight;
          if (told.stop >= told.size_bytes) break;
        }
      },
    };
  }
  return { more: async () => {} };
}
