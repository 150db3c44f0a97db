// @ts-check
// Media by step: a slider, and pictures with boxes and masks as cells of tables are drawn.

import { reached } from "../api.js";
import { image } from "../cells/image.js";
import { byId, debounced, h } from "../dom.js";

const WAIT = 120;
const HEIGHT = 320;
const LARGE = 480;
const column = { name: "", type: "image", role: "", kind: "image", computed: false };

/** @param {any} data of the page */
export function mountMedia(data) {
  let { steps, step } = data;
  let isAtEnd = !new URLSearchParams(location.search).has("step") || step === steps.at(-1);
  let asked = 0;
  const upgrade = () => {
    for (const cell of document.querySelectorAll(".media-cell[data-cell]")) draw(/** @type {HTMLElement} */ (cell));
    for (const link of document.querySelectorAll(/** @type {"a"} */ (".media-small a"))) drawSmall(link);
    const form = byId("step-form");
    if (!form || steps.length < 2) return;
    const place = Math.max(steps.findLastIndex((/** @type {number} */ one) => one <= step), 0);
    const slider = h("input", { type: "range", id: "step-slider", min: 0, max: steps.length - 1, value: place, "aria-label": "Step", "aria-valuetext": `step ${step}` });
    slider.addEventListener("input", () => {
      step = steps[Number(slider.value)];
      slider.setAttribute("aria-valuetext", `step ${step}`);
      byId("step").value = step;
      load();
    });
    form.querySelector("button").after(slider);
  };
  const load = debounced(() => show(step), WAIT);
  /** @param {number|null} wanted null: the last one */
  const show = async (wanted) => {
    const turn = (asked += 1);
    const address = new URL(location.href);
    if (wanted === null) address.searchParams.delete("step");
    else address.searchParams.set("step", String(wanted));
    const answer = await reached(address.href);
    if (!answer.ok || turn !== asked) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (turn !== asked) return;
    const told = JSON.parse(page.getElementById("run-data")?.textContent ?? "{}");
    [steps, step] = [told.steps, told.step];
    isAtEnd = wanted === null || step === steps.at(-1);
    history.replaceState(history.state, "", address);
    const isFocused = document.activeElement?.id === "step-slider";
    const [before, after] = [byId("run-media"), page.getElementById("run-media")];
    before.replaceChildren(...[...(after?.childNodes ?? [])].map((one) => document.importNode(one, true)));
    upgrade();
    if (isFocused) byId("step-slider")?.focus();
  };
  upgrade();
  return {
    more: async () => {
      if (isAtEnd && !byId("run-media")?.querySelector(":focus, iframe, audio, video")) await show(null);
    },
  };
}

/** @param {HTMLElement} host what is written there of a picture; null: nothing that can be drawn */
function cellOf(host) {
  const cell = JSON.parse(host.dataset.cell ?? "null");
  return cell?.src && cell.width ? cell : null;
}

/** One of several pictures: small, and enlarged above the page. @param {HTMLAnchorElement} link */
function drawSmall(link) {
  const cell = cellOf(link);
  const before = link.querySelector("img");
  if (!cell || !before) return;
  const picture = image.draw({ ...cell, caption: before.alt }, { column, height: link.clientHeight, width: link.clientWidth, enlarged: false, range: null });
  before.replaceWith(picture);
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    enlarge(link);
  });
}

/** @param {HTMLAnchorElement} link */
function enlarge(link) {
  const all = /** @type {HTMLAnchorElement[]} */ ([...(link.closest(".media-value")?.querySelectorAll(".media-small a") ?? [])]);
  const host = h("div");
  const told = h("span", { class: "quiet", role: "status" });
  let at = all.indexOf(link);
  const show = (by = 0) => {
    at = (at + by + all.length) % all.length;
    host.replaceChildren(image.draw(cellOf(all[at]), { column, height: LARGE, most: Math.min(innerWidth - 80, 860), enlarged: true, range: null }));
    told.textContent = `${at + 1} of ${all.length}`;
  };
  const button = (/** @type {string} */ name, /** @type {() => void} */ run) => h("button", { type: "button", onclick: run }, name);
  const dialog = h("dialog", { class: "ask media-large", "aria-label": "Picture" }, host, h("p", { class: "buttons" }, told, button("Previous", () => show(-1)), button("Next", () => show(1)), button("Close", () => dialog.close())));
  dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && !event.defaultPrevented) show(by);
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    all[at].focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  show();
}

/** @param {HTMLElement} host */
function draw(host) {
  const cell = cellOf(host);
  if (!cell) return;
  const width = Math.max(host.clientWidth, 120);
  const picture = image.draw(cell, { column, height: HEIGHT, most: width, enlarged: true, range: null });
  const before = host.querySelector("img");
  if (before && picture instanceof Node) before.replaceWith(picture);
  host.querySelector(".caption")?.remove();
}
