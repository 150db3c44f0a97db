// @ts-check
// Media by step: a slider, and pictures with boxes and masks as cells of tables are drawn.

import { reached } from "../api.js";
import { image } from "../cells/image.js";
import { byId, debounced, h } from "../dom.js";

const WAIT = 120;
const HEIGHT = 320;

/** @param {any} data of the page */
export function mountMedia(data) {
  let { steps, step } = data;
  let isAtEnd = !new URLSearchParams(location.search).has("step") || step === steps.at(-1);
  let asked = 0;
  const upgrade = () => {
    for (const cell of document.querySelectorAll(".media-cell[data-cell]")) draw(/** @type {HTMLElement} */ (cell));
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

/** @param {HTMLElement} host */
function draw(host) {
  const cell = JSON.parse(host.dataset.cell ?? "null");
  if (!cell?.src || !cell.width) return;
  const column = { name: "", type: "image", role: "", kind: "image", computed: false };
  const width = Math.max(host.clientWidth, 120);
  const picture = image.draw(cell, { column, height: HEIGHT, most: width, enlarged: true, range: null });
  const before = host.querySelector("img");
  if (before && picture instanceof Node) before.replaceWith(picture);
  host.querySelector(".caption")?.remove();
}
