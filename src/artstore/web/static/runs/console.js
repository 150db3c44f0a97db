// @ts-check
// What a run prints: its end is followed, earlier parts are loaded above it. The server makes the
// pieces and their colours, as for readers without scripts.

import { byId, h } from "../dom.js";
import { fetchedPage } from "./parts.js";

const KEPT_CHARS = 2_000_000;
const NEAR = 40;

/** @param {any} data of the page */
export function followConsole(data) {
  const box = /** @type {HTMLElement} */ (byId("console"));
  const params = new URLSearchParams(location.search);
  const isTail = !params.has("after") && !params.has("before");
  let { start, stop } = data;
  const size = byId("console-size");
  /** @param {"before"|"after"} part @param {number} at */
  const windowAt = async (part, at) => {
    const page = await fetchedPage(`${data.page}?show=console&${part}=${at}`);
    if (!page) return { page, start: at, stop: at, size_bytes: at, told: "", block: h("span") };
    const { start, stop, size_bytes } = JSON.parse(page.getElementById("run-data")?.textContent ?? "{}");
    return { page, start, stop, size_bytes, told: page.getElementById("console-size")?.textContent, block: inOne(/** @type {Element} */ (page.getElementById("console"))) };
  };
  box.replaceChildren(inOne(box));
  if (isTail) box.scrollTop = box.scrollHeight;
  const earlier = byId("console-earlier");
  let isLoading = false;
  earlier?.addEventListener("click", async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (isLoading) return;
    isLoading = true;
    const told = await windowAt("before", start).finally(() => (isLoading = false));
    const height = box.scrollHeight;
    box.prepend(told.block);
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
      /** @returns {Promise<Document|null>} the page that was fetched last */
      more: async () => {
        let page = null;
        for (let rounds = 0; rounds < 20; rounds += 1) {
          const told = await windowAt("after", stop);
          page = told.page;
          if (told.stop <= stop) break;
          const isAtEnd = toggle.checked;
          box.append(told.block);
          stop = told.stop;
          byId("console-empty")?.remove();
          // Of what came in hours only the end stays here; the rest is one link away.
          while ((box.textContent ?? "").length > KEPT_CHARS && box.childNodes.length > 1) box.firstChild?.remove();
          if (size) size.textContent = told.told;
          if (isAtEnd) box.scrollTop = box.scrollHeight;
          if (told.stop >= told.size_bytes) break;
        }
        return page;
      },
    };
  }
  return { more: async () => null };
}

/** All that is in it as one element. @param {Element} host */
function inOne(host) {
  return h("span", null, ...[...host.childNodes].map((one) => document.importNode(one, true)));
}
