// @ts-check
// What all charts have: a canvas as sharp as the screen, one on top for what follows the pointer, words for who sees neither, files.

import { h } from "../dom.js";
import { FONT, fitted } from "./axes.js";
import { coloursOf, DASHES, onLook, paintMark } from "./palette.js";
import { SvgPen } from "./svgpen.js";

const PRESS = 4;
const LEGEND_LINE = 16;
const LEGEND_MAX = 40;
let made = 0;

/** @typedef {{label: string, colour: string, dash?: number, shape?: number}} Entry of a legend */

export class Plot {
  /**
   * @param {HTMLElement} host
   * @param {any} options
   * @param {string} keys what the keyboard does, for who asks for it
   */
  constructor(host, options, keys) {
    this.options = options;
    const id = `chart-keys-${(made += 1)}`;
    this.base = h("canvas", { class: "chart-base", "aria-hidden": "true" });
    this.top = h("canvas", { class: "chart-top", "aria-hidden": "true" });
    this.tip = h("div", { class: "chart-tip", "aria-hidden": "true", hidden: true });
    this.empty = h("p", { class: "chart-empty quiet", hidden: true }, "There is nothing to draw yet.");
    this.back = h("button", { type: "button", class: "chart-back", hidden: true, onclick: () => { this.goBack(); this.frame.focus({ preventScroll: true }); } }, "Show all");
    this.frame = h("div", { class: "chart-frame", role: "application", "aria-roledescription": "chart", tabindex: 0, "aria-describedby": id }, this.base, this.top, this.tip, this.empty);
    this.note = h("p", { class: "chart-note quiet", hidden: true });
    this.below = h("div", { class: "chart-below" });
    this.live = h("p", { class: "unseen", role: "status", "aria-live": "polite" });
    this.caption = h("figcaption", { class: "chart-title" });
    this.figure = h("figure", { class: "chart" }, this.caption, this.frame, this.back, this.note, this.below, this.live, h("p", { class: "unseen", id }, keys));
    host.append(this.figure);
    this.width = this.height = this.asked = 0;
    /** @type {import("./palette.js").Colours|null} */
    this.seen = null;
    /** Where the pointer went down, and is. @type {{from: number[], to: number[], isMoved: boolean, isMore: boolean}|null} */
    this.drag = null;
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.frame);
    this.unwatch = onLook(() => {
      this.seen = null;
      this.draw();
    });
    this.listen();
  }

  // For charts to say.

  /** @param {any} _pen @param {number} _width @param {number} _height */
  paint(_pen, _width, _height) {}
  /** What follows the pointer. @param {CanvasRenderingContext2D} _pen */
  paintTop(_pen) {}
  /** @param {number[]} _place of the pointer, null when it has gone */
  hover(_place) {}
  /** @param {number[]} _place */
  click(_place) {}
  /** @param {boolean} _isDone */
  dragged(_isDone) {}
  /** @param {KeyboardEvent} _event whether it was for the chart @returns {boolean} */
  pressed(_event) {
    return false;
  }
  goBack() {}
  /** What the whole chart is, in words. */
  describe() {
    return "";
  }
  /** @returns {Entry[]} */
  legend() {
    return [];
  }
  get isEmpty() {
    return false;
  }

  // Drawing.

  get colours() {
    return (this.seen ??= coloursOf(this.figure));
  }

  /** Draw in the next frame, however often it is asked for. */
  draw() {
    this.asked ||= requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    cancelAnimationFrame(this.asked);
    this.asked = 0;
    const { title, height = 240 } = this.options;
    this.caption.hidden = !title;
    this.caption.replaceChildren(h("bdi", null, title ?? ""));
    this.frame.style.height = `${height}px`;
    this.width = this.frame.clientWidth;
    this.height = height;
    if (!this.width || !this.figure.isConnected) return;
    const pen = this.penOf(this.base);
    this.empty.hidden = !this.isEmpty;
    this.below.hidden = this.isEmpty;
    if (this.isEmpty) this.remark([]);
    if (!this.isEmpty) this.paint(pen, this.width, this.height);
    this.frame.setAttribute("aria-label", `${title || "Chart"}. ${this.isEmpty ? "There is nothing to draw yet." : this.describe()}`);
    this.drawTop();
  }

  drawTop() {
    if (!this.width) return;
    const pen = this.penOf(this.top);
    if (!this.isEmpty) this.paintTop(pen);
  }

  /** @param {HTMLCanvasElement} canvas */
  penOf(canvas) {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.setTransform(width / this.width, 0, 0, height / this.height, 0, 0);
    pen.globalAlpha = 1;
    pen.font = FONT;
    pen.lineJoin = "round";
    return pen;
  }

  /** @param {string} text for who listens */
  say(text) {
    this.live.textContent = text;
  }

  /** @param {string[]} parts of what cannot be seen in the chart */
  remark(parts) {
    const text = parts.filter(Boolean).join(" ");
    if (this.note.textContent !== text) this.note.textContent = text;
    this.note.hidden = !text;
  }

  /**
   * Put words beside a place.
   * @param {number} x
   * @param {number} y
   * @param {Node[]} content
   */
  showTip(x, y, content) {
    this.tip.replaceChildren(...content);
    this.tip.hidden = !content.length;
    if (!content.length) return;
    const { offsetWidth, offsetHeight } = this.tip;
    const left = x + 14 + offsetWidth > this.width ? x - 14 - offsetWidth : x + 14;
    const room = this.height - offsetHeight;
    Object.assign(this.tip.style, { left: `${Math.max(left, 0)}px`, top: `${Math.min(Math.max(y - offsetHeight / 2, 0), Math.max(room, 0))}px` });
  }

  /** @param {any} part */
  configure(part) {
    Object.assign(this.options, part);
    this.draw();
  }

  destroy() {
    this.observer.disconnect();
    this.unwatch();
    cancelAnimationFrame(this.asked);
    this.figure.remove();
  }

  // Pointer and keys.

  listen() {
    const { frame } = this;
    /** @param {PointerEvent|MouseEvent} event */
    const placeOf = (event) => {
      const box = frame.getBoundingClientRect();
      return [event.clientX - box.left - frame.clientLeft, event.clientY - box.top - frame.clientTop];
    };
    frame.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      if (event.button || !event.isPrimary || this.isEmpty) return;
      const from = placeOf(event);
      this.drag = { from, to: from, isMoved: false, isMore: event.shiftKey };
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (this.isEmpty) return;
      const { drag } = this;
      const to = placeOf(event);
      if (!drag) return this.hover(to);
      drag.to = to;
      if (Math.hypot(to[0] - drag.from[0], to[1] - drag.from[1]) > PRESS) drag.isMoved = true;
      if (drag.isMoved) this.dragged(false);
    });
    frame.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => {
      const { drag } = this;
      if (!drag) return;
      if (drag.isMoved) this.dragged(true);
      else {
        if (event.pointerType !== "mouse") this.hover(drag.to);
        this.click(drag.to);
      }
      this.drag = null;
      this.drawTop();
    });
    // The page scrolls, or another finger came: nothing was meant.
    frame.addEventListener("pointercancel", () => this.forgetDrag());
    frame.addEventListener("pointerleave", (/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && !this.drag && this.hover([]));
    frame.addEventListener("blur", () => this.hover([]));
    frame.addEventListener("dblclick", () => this.goBack());
    frame.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.target !== frame || event.ctrlKey || event.altKey || event.metaKey || this.isEmpty) return;
      if (event.key === "Escape" && this.drag) this.forgetDrag();
      else if (!this.pressed(event)) return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  forgetDrag() {
    this.drag = null;
    this.drawTop();
  }

  // Files.

  /** @param {any} pen @param {number} width @param {number} height of the chart */
  paintFile(pen, width, height) {
    pen.fillStyle = this.colours.page;
    pen.fillRect(0, 0, width, height + 26 + this.legendHeight());
    pen.font = `bold ${FONT.replace("11", "13")}`;
    pen.fillStyle = this.colours.text;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.fillText(fitted(pen, this.options.title ?? "", width - 16), 8, 13);
    const entries = this.legend();
    pen.font = FONT;
    entries.slice(0, LEGEND_MAX).forEach((one, at) => {
      const y = height + 26 + (at + 0.5) * LEGEND_LINE;
      pen.strokeStyle = pen.fillStyle = one.colour;
      pen.lineWidth = 2;
      pen.setLineDash(DASHES[one.dash ?? 0]);
      pen.beginPath();
      if (one.shape !== undefined) paintMark(pen, one.shape, 20, y, 4);
      else {
        pen.moveTo(8, y);
        pen.lineTo(32, y);
        pen.stroke();
      }
      pen.fillStyle = this.colours.text;
      pen.textBaseline = "middle";
      pen.textAlign = "left";
      pen.fillText(fitted(pen, one.label, width - 48), 40, y);
    });
    pen.setLineDash([]);
    if (entries.length > LEGEND_MAX) pen.fillText(`and ${entries.length - LEGEND_MAX} more`, 40, height + 26 + (LEGEND_MAX + 0.5) * LEGEND_LINE);
  }

  legendHeight() {
    const count = this.legend().length;
    return count ? Math.min(count, LEGEND_MAX + 1) * LEGEND_LINE + 8 : 0;
  }

  /** The picture with its title and legend, as it is on the screen: a file that needs nothing else. */
  toSvg() {
    const [width, height] = [this.width || 800, this.options.height ?? 240];
    const pen = new SvgPen(width, height + 26 + this.legendHeight(), this.options.title ?? "Chart");
    this.paintFile(pen, width, height);
    pen.parts.push(`<g transform="translate(0 26)">`);
    if (!this.isEmpty) this.paint(pen, width, height);
    pen.parts.push("</g>");
    this.draw();
    return pen.text();
  }

  /** @returns {Promise<Blob>} */
  toPng() {
    const [width, height] = [this.width || 800, this.options.height ?? 240];
    const canvas = h("canvas", { width: width * 2, height: (height + 26 + this.legendHeight()) * 2 });
    const pen = canvas.getContext("2d");
    pen.scale(2, 2);
    this.paintFile(pen, width, height);
    pen.translate(0, 26);
    if (!this.isEmpty) this.paint(pen, width, height);
    this.draw();
    return new Promise((done, failed) => canvas.toBlob((/** @type {Blob|null} */ blob) => (blob ? done(blob) : failed(new Error("the picture is too large for this browser")))));
  }

  toCsv() {
    return "";
  }
}

/** @param {any[][]} rows */
export function csvOf(rows) {
  return rows.map((row) => row.map((one) => {
    const text = one === null || one === undefined ? "" : String(one);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",")).join("\r\n") + "\r\n";
}

/**
 * What a menu offers to keep of a chart.
 * @param {Plot} chart
 * @returns {[string, () => void][]}
 */
export function exportItems(chart) {
  const name = (chart.options.title || "chart").replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80);
  return [
    ["Picture as SVG", () => keep(`${name}.svg`, new Blob([chart.toSvg()], { type: "image/svg+xml" }))],
    ["Picture as PNG", async () => keep(`${name}.png`, await chart.toPng())],
    ["Values as CSV", () => keep(`${name}.csv`, new Blob([chart.toCsv()], { type: "text/csv" }))],
  ];
}

/** @param {string} name @param {Blob} blob */
function keep(name, blob) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
