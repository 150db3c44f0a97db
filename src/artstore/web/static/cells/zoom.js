// @ts-check
// A picture enlarged: steps, dragging, and its pixels as they are.

import { h } from "../dom.js";
import { addOverlay, hasOverlay } from "../overlays.js";

const SIDE_MAX = 16_000;

/**
 * @param {any} cell
 * @param {HTMLElement} picture
 * @param {HTMLImageElement} img
 * @param {number[]} natural its own width and height
 * @param {number} fit the scale at which all of it is seen
 * @param {import("./registry.js").Context} context
 */
export function zoomed(cell, picture, img, natural, fit, context) {
  let scale = fit;
  let { smooth } = context;
  const frame = h("div", { class: "zoom-frame" }, picture);
  const told = h("output", { class: "zoom-told" });
  const soft = h("button", { type: "button", onclick: () => {
    smooth = img.classList.contains("pixelated") ? "on" : "off";
    context.keepSmooth?.(smooth);
    draw();
  } }, "Smooth");
  const draw = () => {
    const [width, height] = natural.map((side) => Math.max(Math.round(side * scale), 1));
    [img.width, img.height] = [width, height];
    Object.assign(picture.style, { width: `${width}px`, height: `${height}px` });
    img.classList.toggle("pixelated", smooth ? smooth === "off" : scale >= 2);
    soft.setAttribute("aria-pressed", String(!img.classList.contains("pixelated")));
    told.textContent = `${Math.round(scale * 100)} %`;
    picture.querySelectorAll(".boxes, .mask").forEach((one) => one.remove());
    if (hasOverlay(cell)) addOverlay(picture, cell, width, height, true);
    frame.classList.toggle("is-larger", scale > fit);
    // What scrolls can be scrolled by keys.
    if (scale > fit) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  };
  /** @param {number} factor @param {number} [x] the place in the frame that stays @param {number} [y] */
  const zoom = (factor, x = frame.clientWidth / 2, y = frame.clientHeight / 2) => {
    const before = scale;
    scale = factor ? Math.min(Math.max(scale * factor, fit), Math.max(SIDE_MAX / Math.max(...natural), fit)) : fit;
    const [left, top] = [frame.scrollLeft + x, frame.scrollTop + y];
    draw();
    frame.scrollTo((left * scale) / before - x, (top * scale) / before - y);
  };
  /** @param {string} name @param {string} text @param {number} factor */
  const button = (name, text, factor) => h("button", { type: "button", "aria-label": name, title: name, onclick: () => zoom(factor) }, text);
  frame.addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = frame.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  frame.addEventListener("dblclick", (/** @type {MouseEvent} */ event) => {
    const box = frame.getBoundingClientRect();
    zoom(event.shiftKey ? 0.5 : 2, event.clientX - box.left, event.clientY - box.top);
  });
  frame.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.pointerType !== "touch" && event.button === 0 && scale > fit) {
      event.preventDefault();
      frame.setPointerCapture(event.pointerId);
    }
  });
  frame.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (frame.hasPointerCapture(event.pointerId)) frame.scrollBy(-event.movementX, -event.movementY);
  });
  frame.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => event.key.startsWith("Arrow") && scale > fit && event.stopPropagation());
  draw();
  const size = cell.width ? `${cell.width} × ${cell.height}` : "";
  return h(
    "figure",
    { onzoom: (/** @type {CustomEvent} */ event) => zoom(event.detail) },
    frame,
    h("figcaption", null, h("span", { class: "zoom-tools" }, button("Smaller", "−", 0.5), told, button("Larger", "+", 2), button("All of it", "⤢", 0), soft), [cell.caption, size].filter(Boolean).join(" · "), " ", h("a", { href: cell.src, target: "_blank", rel: "noopener" }, "original")),
  );
}
