// @ts-check
import { h } from "../dom.js";

/** @type {import("./registry.js").Renderer} */
export const bool = {
  name: "bool",
  label: "True or false",
  kinds: ["bool"],
  width: 90,
  draw: (cell) => h("span", { class: cell === true ? "bool true" : "bool" }, cell === true ? "✓ true" : "– false"),
};
