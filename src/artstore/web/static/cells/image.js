// @ts-check
import { h } from "../dom.js";
import { addOverlay, hasOverlay } from "../overlays.js";
import { zoomed } from "./zoom.js";

const SIDES = [64, 128, 256, 512];
// A fifth larger than it is a thumbnail looks as well; the server's page has the same.
const SLACK = 1.2;
const LARGE = [760, 480];
const MARGIN = 44;

/** @param {number} pixels as they are shown @returns {number} the side of the thumbnail for them */
export const sideOf = (pixels) => SIDES.find((one) => one * SLACK >= pixels * Math.min(devicePixelRatio, 2)) ?? 512;

/** @type {import("./registry.js").Renderer} */
export const image = {
  name: "image",
  label: "Picture",
  kinds: ["image"],
  width: 110,
  height: 60,
  draw: (cell, context) => {
    if (cell.$ !== "image" || !cell.src) return h("span", { class: "quiet" }, cell.caption ?? "a picture that lies elsewhere");
    const natural = [cell.width ?? 1, cell.height ?? 1];
    const [maxWidth, maxHeight] = context.enlarged ? [Math.min(context.most ?? LARGE[0], innerWidth - MARGIN), LARGE[1]] : [context.width ?? 4 * context.height, context.height - 8];
    const scale = Math.min(maxWidth / natural[0], maxHeight / natural[1], context.enlarged ? Math.max(1, 256 / Math.max(...natural)) : Infinity);
    const [width, height] = natural.map((side) => Math.max(Math.round(side * scale), 1));
    const side = sideOf(Math.max(width, height));
    // A thumbnail of a picture that is small already would be made for nothing.
    const isSmall = context.enlarged || !cell.thumb || (Math.max(...natural) <= 64 && /[?&]d=/.test(cell.src) && /\.(png|jpe?g|webp|gif)\?/i.test(cell.src));
    const picture = h("span", { class: "picture" });
    const img = h("img", {
      src: isSmall ? cell.src : cell.ready?.size === side ? cell.ready.src : `${cell.thumb}&size=${side}`,
      alt: cell.caption ?? "image",
      width,
      height,
      loading: context.enlarged ? "eager" : "lazy",
      decoding: "async",
      class: scale >= 2 && context.smooth !== "on" ? "pixelated" : null,
    });
    img.addEventListener("error", () => {
      picture.classList.add("broken");
      picture.replaceChildren(h("span", { title: "The file is damaged, or is not there" }, "cannot be shown"));
    });
    picture.append(img);
    if (context.enlarged) return zoomed(cell, picture, img, natural, scale, context);
    Object.assign(picture.style, { width: `${width}px`, height: `${height}px` });
    if (hasOverlay(cell)) addOverlay(picture, cell, width, height, false);
    return picture;
  },
};
