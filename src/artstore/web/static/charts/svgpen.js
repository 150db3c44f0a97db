// @ts-check
// What draws on a canvas, drawing SVG: charts have one way to be painted, on the screen and in a file.

const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** @param {string} text */
export function escaped(text) {
  return String(text).replace(FORBIDDEN, "\uFFFD").replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** @param {number} value */
const n = (value) => String(Math.round(value * 100) / 100);

export class SvgPen {
  /** @param {number} width @param {number} height @param {string} title */
  constructor(width, height, title) {
    Object.assign(this, { width, height, title });
    /** @type {string[]} */
    this.parts = [];
    this.path = "";
    /** @type {any[]} */
    this.states = [];
    this.clips = 0;
    this.dash = "";
    this.strokeStyle = this.fillStyle = "#000";
    this.lineWidth = 1;
    this.globalAlpha = 1;
    this.font = "12px sans-serif";
    this.textAlign = "left";
    this.textBaseline = "alphabetic";
    this.lineJoin = "round";
    this.ruler = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  }

  save() {
    const { dash, strokeStyle, fillStyle, lineWidth, globalAlpha, font, textAlign, textBaseline } = this;
    this.states.push({ dash, strokeStyle, fillStyle, lineWidth, globalAlpha, font, textAlign, textBaseline });
    this.parts.push("<g>");
  }

  restore() {
    Object.assign(this, this.states.pop());
    this.parts.push("</g>");
  }

  beginPath() {
    this.path = "";
  }

  /** @param {number} x @param {number} y */
  moveTo(x, y) {
    this.path += `M${n(x)} ${n(y)}`;
  }

  /** @param {number} x @param {number} y */
  lineTo(x, y) {
    this.path += `L${n(x)} ${n(y)}`;
  }

  closePath() {
    this.path += "Z";
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  rect(x, y, width, height) {
    this.path += `M${n(x)} ${n(y)}h${n(width)}v${n(height)}h${n(-width)}Z`;
  }

  /** A whole circle: charts need no other arc. @param {number} x @param {number} y @param {number} radius */
  arc(x, y, radius) {
    this.path += `M${n(x - radius)} ${n(y)}a${n(radius)} ${n(radius)} 0 1 0 ${n(2 * radius)} 0a${n(radius)} ${n(radius)} 0 1 0 ${n(-2 * radius)} 0`;
  }

  /** Everything up to the end of this group is cut to the path. */
  clip() {
    this.clips += 1;
    const id = `cut-${this.clips}`;
    // The group that `save` has opened is the one that is cut.
    this.parts.push(`<clipPath id="${id}"><path d="${this.path}"/></clipPath>`);
    const open = this.parts.lastIndexOf("<g>");
    this.parts[open] = `<g clip-path="url(#${id})">`;
  }

  stroke() {
    if (!this.path) return;
    const dash = this.dash ? ` stroke-dasharray="${this.dash}"` : "";
    this.parts.push(`<path d="${this.path}" fill="none" stroke="${escaped(this.strokeStyle)}" stroke-width="${n(this.lineWidth)}" stroke-linejoin="round"${dash}${this.alpha("stroke")}/>`);
  }

  fill() {
    this.parts.push(`<path d="${this.path}" fill="${escaped(this.fillStyle)}"${this.alpha("fill")}/>`);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  fillRect(x, y, width, height) {
    this.parts.push(`<rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" fill="${escaped(this.fillStyle)}"${this.alpha("fill")}/>`);
  }

  /** @param {string} text @param {number} x @param {number} y */
  fillText(text, x, y) {
    const anchor = { center: "middle", right: "end", end: "end" }[this.textAlign] ?? "start";
    const [, size] = /(\d+(?:\.\d+)?)px/.exec(this.font) ?? ["", "12"];
    const weight = /^(bold|\d{3}) /.test(this.font) ? ` font-weight="bold"` : "";
    const down = { middle: 0.35, top: 0.8, hanging: 0.8 }[this.textBaseline] ?? 0;
    this.parts.push(`<text x="${n(x)}" y="${n(y + Number(size) * down)}" fill="${escaped(this.fillStyle)}" font-size="${size}" text-anchor="${anchor}"${weight}${this.alpha("fill")}>${escaped(text)}</text>`);
  }

  /** @param {string} text */
  measureText(text) {
    this.ruler.font = this.font;
    return this.ruler.measureText(text);
  }

  /** @param {number[]} dash */
  setLineDash(dash) {
    this.dash = dash.map(n).join(" ");
  }

  /** @param {"fill"|"stroke"} what */
  alpha(what) {
    return this.globalAlpha < 1 ? ` ${what}-opacity="${n(this.globalAlpha)}"` : "";
  }

  /** The whole picture. */
  text() {
    const { width, height, title } = /** @type {any} */ (this);
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, sans-serif"><title>${escaped(title)}</title>${this.parts.join("")}</svg>\n`;
  }
}
