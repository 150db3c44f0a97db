// @ts-check
// Sound, films and pages. A page of a stranger is shown in a frame that may do nothing.
import { h } from "../dom.js";

/** @param {any} cell */
function missing(cell) {
  return h("span", { class: "quiet" }, cell?.caption ?? "no file");
}

/** @param {any} cell @param {Node} player */
function captioned(cell, player) {
  return cell.caption ? h("figure", null, player, h("figcaption", null, cell.caption)) : player;
}

/** @type {import("./registry.js").Renderer} */
export const audio = {
  name: "audio",
  label: "Sound",
  kinds: ["audio"],
  width: 260,
  height: 46,
  draw: (cell, context) => {
    if (!cell.src) return missing(cell);
    const player = h("audio", { controls: true, preload: "none", src: cell.src });
    return context.enlarged ? captioned(cell, player) : player;
  },
};

/** @type {import("./registry.js").Renderer} */
export const video = {
  name: "video",
  label: "Film",
  kinds: ["video"],
  width: 180,
  height: 110,
  draw: (cell, context) => {
    if (!cell.src) return missing(cell);
    const isPicture = cell.format === "gif";
    const player = isPicture ? h("img", { src: cell.src, alt: cell.caption ?? "film", loading: "lazy" }) : h("video", { controls: true, preload: "metadata", src: cell.src });
    if (!context.enlarged) player.style.maxHeight = `${context.height - 6}px`;
    return context.enlarged ? captioned(cell, player) : player;
  },
};

/** @type {import("./registry.js").Renderer} */
export const html = {
  name: "html",
  label: "Page",
  kinds: ["html", "plotly", "bokeh"],
  width: 160,
  draw: (cell, context) => {
    if (!cell.src) return missing(cell);
    const link = h("a", { href: cell.frame ?? cell.src, target: "_blank", rel: "noopener noreferrer" }, cell.caption ?? `open ${cell.kind}`);
    if (!context.enlarged || !cell.frame) return link;
    return h("div", null, h("iframe", { class: "page-frame", sandbox: "allow-scripts", src: cell.frame, title: cell.caption ?? "page", loading: "lazy" }), link);
  },
};
