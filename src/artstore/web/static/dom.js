// @ts-check
// Elements made by code: text is always text, so no cell becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {Element} element
 * @param {Record<string, any>} [props] `on...` are listeners, `class` and attributes as they are called, null is left out
 * @param {...(Node|string|number|null|undefined)} children
 */
function fill(element, props, ...children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(/** @type {HTMLElement} */ (element).style, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined) element.append(/** @type {any} */ (child));
  }
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|number|null|undefined)} children
 * @returns {any}
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, ...children);
}

/**
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|null|undefined)} children
 * @returns {any}
 */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, ...children);
}

/**
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  return document.getElementById(id);
}

/** @param {number|null|undefined} number */
export function grouped(number) {
  return number === null || number === undefined ? "?" : number.toLocaleString("en-US");
}

/**
 * A number in few digits.
 * @param {number} number
 * @param {number} [digits]
 */
export function short(number, digits = 6) {
  if (Number.isInteger(number) && Math.abs(number) <= 2 ** 53) return String(number);
  const text = number.toPrecision(digits);
  return text.includes("e") ? text.replace(/\.?0+e/, "e") : text.replace(/\.?0+$/, "");
}

/**
 * @template {(...args: any[]) => void} F
 * @param {F} run
 * @param {number} wait
 */
export function debounced(run, wait) {
  let timer = 0;
  return /** @param {Parameters<F>} args */ (...args) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => run(...args), wait);
  };
}
