// @ts-check
import { grouped, h } from "../dom.js";

/** @type {import("./registry.js").Renderer} */
export const text = {
  name: "text",
  label: "Text",
  kinds: ["text"],
  width: 220,
  draw: (cell, context) => {
    const shown = typeof cell === "string" ? cell : String(cell.v);
    if (!context.enlarged) {
      return h("span", { class: "text", title: shown.slice(0, 300) }, shown.slice(0, 400).replace(/\s+/g, " "), typeof cell === "object" ? " …" : null);
    }
    if (typeof cell === "string" && shown.length <= 1200) return h("p", { class: "whole-text" }, shown);
    return h(
      "details",
      { class: "folded" },
      h("summary", null, h("span", { class: "whole-text" }, shown.slice(0, 300)), " … ", h("small", null, `${grouped(cell.length ?? shown.length)} characters`)),
      h("p", { class: "whole-text" }, shown),
    );
  },
};
