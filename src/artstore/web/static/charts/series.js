// @ts-check
// The numbers of a line: read, put in order, smoothed, found by x, and drawn.

/**
 * @typedef {{id: string, label: string, colour: number, dash: number, isFaint: boolean, x: Float64Array, y: Float64Array,
 *   low: Float64Array|null, high: Float64Array|null, smooth: Float64Array, dropped: number}} Series
 */

/** @param {any} value a number, or the text of one that JSON has not */
const numberOf = (value) => (value === null || value === undefined || value === "" ? NaN : Number(value));

/**
 * @param {any} given
 * @param {number} weight of smoothing
 * @returns {Series}
 */
export function prepared(given, weight) {
  const read = (/** @type {any} */ values) => (values ? Float64Array.from(values, numberOf) : null);
  const columns = [given.x, given.y, given.low, given.high].map(read);
  const xs = /** @type {Float64Array} */ (columns[0]);
  let order = null;
  for (let at = 0; at < xs.length && !order; at += 1) if (!Number.isFinite(xs[at]) || xs[at] < xs[at - 1]) order = xs;
  let dropped = 0;
  if (order) {
    // What has no place on the axis is left out; the rest stays as it came where places are the same.
    const kept = Array.from(xs.keys()).filter((at) => Number.isFinite(xs[at])).sort((one, two) => xs[one] - xs[two]);
    dropped = xs.length - kept.length;
    columns.forEach((column, at) => (columns[at] = column && Float64Array.from(kept, (from) => column[from])));
  }
  const [x, y, low, high] = /** @type {Float64Array[]} */ (columns);
  const { id, label, colour = 0, dash = 0, isFaint = false } = given;
  return { id: String(id), label: String(label ?? id), colour, dash, isFaint, x, y, low, high, smooth: smoothed(y, weight), dropped };
}

/**
 * The exponential average of TensorBoard: what is missing before the first value does not draw it towards zero.
 * What is no number stays, and is passed over.
 * @param {Float64Array} values
 * @param {number} weight 0 to 1, of what was before
 */
export function smoothed(values, weight) {
  if (!(weight > 0)) return values;
  const kept = Math.min(weight, 0.9999);
  let [last, share] = [0, 1];
  return values.map((value) => {
    if (!Number.isFinite(value)) return value;
    last = last * kept + (1 - kept) * value;
    share *= kept;
    return last / (1 - share);
  });
}

/**
 * Of ascending numbers the first that is not below.
 * @param {Float64Array} xs
 * @param {number} value
 */
export function firstFrom(xs, value) {
  let [low, high] = [0, xs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {Series} series @param {number} value @returns {number} -1: it has nothing */
export function nearest(series, value) {
  const { x } = series;
  const at = firstFrom(x, value);
  if (at === x.length) return at - 1;
  return at > 0 && value - x[at - 1] < x[at] - value ? at - 1 : at;
}

/**
 * Draw a line through points, in gaps what is no number. Points that fall into one column of
 * the screen become four: the first, the lowest, the highest and the last.
 * @param {any} pen
 * @param {Float64Array} xs
 * @param {Float64Array} ys
 * @param {number} from
 * @param {number} to
 * @param {{x: import("./axes.js").Scale, y: import("./axes.js").Scale}} scales
 */
export function trace(pen, xs, ys, from, to, scales) {
  const [atX, atY] = [scales.x.at, scales.y.at];
  const isLog = scales.y.isLog;
  const isDense = to - from > 3 * (atX(xs[to - 1]) - atX(xs[from]));
  const alone = [];
  let length = 0;
  let [x, y] = [0, 0];
  let [column, low, high] = [NaN, 0, 0];
  pen.beginPath();
  for (let at = from; at < to; at += 1) {
    const value = ys[at];
    if (!(value - value === 0) || (isLog && value <= 0)) {
      finish();
      continue;
    }
    const [px, py] = [atX(xs[at]), atY(value)];
    if (length && isDense && px - column < 1) {
      if (py < low) low = py;
      if (py > high) high = py;
    } else {
      settle();
      if (length) pen.lineTo(px, py);
      else pen.moveTo(px, py);
      [column, low, high] = [px, py, py];
    }
    [x, y] = [px, py];
    length += 1;
  }
  finish();
  pen.stroke();
  pen.fillStyle = pen.strokeStyle;
  for (const [px, py] of alone) pen.fillRect(px - 2, py - 2, 4, 4);

  function settle() {
    if (!length || !isDense) return;
    if (low < high) {
      pen.lineTo(column, low);
      pen.lineTo(column, high);
    }
    pen.lineTo(x, y);
  }

  function finish() {
    settle();
    if (length === 1) alone.push([x, y]);
    length = 0;
    column = NaN;
  }
}
