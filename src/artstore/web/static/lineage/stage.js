// @ts-check
// What the graph is seen through: zoom, and moving about. It scrolls as everything scrolls, so that
// touch, wheels and the focus of the keyboard work of themselves.

const LEAST = 0.1;
const MOST = 3;
const STEP = 1.25;
const CLICK_PIXELS = 4;
/** Below this nobody reads what stands in a tile. */
const LEGIBLE = 0.75;

export class Stage {
  /** @param {HTMLElement} host @param {SVGSVGElement} svg @param {number|null} zoom that of the graph before */
  constructor(host, svg, zoom) {
    this.host = host;
    this.svg = svg;
    this.width = svg.viewBox.baseVal.width;
    this.height = svg.viewBox.baseVal.height;
    this.zoom = 1;
    /** Whether a drag has just ended: the click that follows is none. */
    this.wasDragged = false;
    host.classList.add("is-live");
    // A tile has the focus, of which there always is one.
    host.removeAttribute("tabindex");
    const whole = this.fitting();
    this.setZoom(zoom ?? (whole >= LEGIBLE ? whole : 1));
    host.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    host.addEventListener("pointerdown", (event) => this.pressed(event));
    host.addEventListener("touchmove", (event) => this.pinched(event), { passive: false });
    host.addEventListener("touchend", () => (this.spread = 0));
    host.addEventListener("dragstart", (event) => event.preventDefault());
    this.spread = 0;
  }

  /** The zoom at which all of it is seen. */
  fitting() {
    // It is as high as what it shows, up to this part of the window.
    const most = innerHeight * (innerWidth <= 768 ? 0.6 : 0.72);
    return Math.min(1, (this.host.clientWidth - 4) / this.width, (most - 20) / this.height);
  }

  /**
   * @param {number} zoom
   * @param {number} [x] the point that stays where it is, in pixels of the window
   * @param {number} [y]
   */
  setZoom(zoom, x, y) {
    const { host, svg } = this;
    const box = host.getBoundingClientRect();
    const [left, top] = [(x ?? box.left + box.width / 2) - box.left, (y ?? box.top + box.height / 2) - box.top];
    const at = [(host.scrollLeft + left) / this.zoom, (host.scrollTop + top) / this.zoom];
    this.zoom = Math.min(Math.max(zoom, LEAST), MOST);
    svg.setAttribute("width", String(Math.round(this.width * this.zoom)));
    svg.setAttribute("height", String(Math.round(this.height * this.zoom)));
    host.scrollLeft = at[0] * this.zoom - left;
    host.scrollTop = at[1] * this.zoom - top;
  }

  /** @param {number} times how many steps closer; below 0 farther away */
  step(times) {
    this.setZoom(this.zoom * STEP ** times);
  }

  fit() {
    this.setZoom(this.fitting());
  }

  /** Scroll as far as it takes to see a tile. @param {Element} tile @param {boolean} [isCentred] */
  reveal(tile, isCentred = false) {
    const { host } = this;
    const [box, seen] = [tile.getBoundingClientRect(), host.getBoundingClientRect()];
    const room = 48;
    /** @param {number} low @param {number} high @param {number} least @param {number} most */
    const shift = (low, high, least, most) => {
      if (isCentred) return (low + high - least - most) / 2;
      if (low < least + room) return low - least - room;
      return high > most - room ? high - most + room : 0;
    };
    host.scrollLeft += shift(box.left, box.right, seen.left, seen.left + host.clientWidth);
    host.scrollTop += shift(box.top, box.bottom, seen.top, seen.top + host.clientHeight);
  }

  /** @param {WheelEvent} event */
  wheeled(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.setZoom(this.zoom * Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
  }

  /** @param {PointerEvent} event */
  pressed(event) {
    this.wasDragged = false;
    if (event.pointerType === "touch" || event.button !== 0) return;
    const { host } = this;
    const begin = { x: event.clientX, y: event.clientY, left: host.scrollLeft, top: host.scrollTop };
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      const [x, y] = [moved.clientX - begin.x, moved.clientY - begin.y];
      if (!this.wasDragged && Math.hypot(x, y) < CLICK_PIXELS) return;
      this.wasDragged = true;
      host.classList.add("is-dragged");
      host.scrollLeft = begin.left - x;
      host.scrollTop = begin.top - y;
    };
    const end = () => {
      host.classList.remove("is-dragged");
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  }

  /** @param {TouchEvent} event */
  pinched(event) {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    const [one, other] = event.touches;
    const spread = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    if (this.spread) this.setZoom((this.zoom * spread) / this.spread, (one.clientX + other.clientX) / 2, (one.clientY + other.clientY) / 2);
    this.spread = spread;
  }
}
