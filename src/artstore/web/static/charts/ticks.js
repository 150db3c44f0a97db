// @ts-check
// Where an axis has its marks, and what stands at them: numbers, powers of ten, durations, times of day.

/** @typedef {"number"|"duration"|"time"} Kind */
/** @typedef {{value: number, text: string}} Tick */

const DAY = 86_400;
const SPANS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 365 * DAY];
const LETTERS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @param {number} value */
function trimmed(value) {
  return String(Number(value.toPrecision(12)));
}

/**
 * The round step of which about `count` fit into a range.
 * @param {number} range
 * @param {number} count
 */
function roundStep(range, count) {
  const rough = range / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const share = rough / power;
  return (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10) * power;
}

/**
 * A number on an axis: short, and as exact as the step to the next one asks.
 * @param {number} value
 * @param {number} step
 * @param {number} size of the largest number on the axis
 */
function marked(value, step, size) {
  if (value === 0) return "0";
  const [by, letter] = size >= 1e4 && size < 1e15 ? /** @type {[number, string]} */ (LETTERS.find(([unit]) => size >= unit)) : [1, ""];
  const digits = Math.max(Math.ceil(-Math.log10((step / by) * 1.000001)), 0);
  if (size >= 1e15 || size < 1e-4) return value.toExponential(6).replace(/\.?0+e\+?/, "e");
  // A step that no letter makes short stays in whole numbers.
  if (by > 1 && digits > 3) return value.toFixed(0);
  return (value / by).toFixed(Math.min(digits, 12)) + letter;
}

/**
 * @param {number} low
 * @param {number} high
 * @param {number} count about so many
 * @param {Kind} kind
 * @param {boolean} isLog
 * @returns {Tick[]}
 */
export function ticksOf(low, high, count, kind = "number", isLog = false) {
  if (!(high > low)) return [{ value: low, text: told(low, kind) }];
  if (isLog) {
    const found = powers(low, high, count);
    if (found.length > 1) return found;
  }
  const range = high - low;
  const isSpan = kind !== "number" && range >= count;
  const step = isSpan ? SPANS.find((span) => range / span <= count) ?? roundStep(range / DAY, count) * DAY : roundStep(range, count);
  const zone = kind === "time" && isSpan ? new Date(((low + high) / 2) * 1000).getTimezoneOffset() * 60 : 0;
  const size = Math.max(Math.abs(low), Math.abs(high));
  const ticks = [];
  const first = Math.ceil((low - zone) / step - 1e-9);
  const last = Math.floor((high - zone) / step + 1e-9);
  for (let at = first; at <= last && ticks.length < 100; at += 1) {
    const value = Number((at * step).toPrecision(15)) + zone;
    if (kind === "time") ticks.push({ value, text: clock(value, step) });
    else if (kind === "duration") ticks.push({ value, text: isSpan ? span(value) : `${marked(value, step, size)}s` });
    else ticks.push({ value, text: marked(value, step, size) });
  }
  return ticks;
}

/** @param {number} low @param {number} high @param {number} count @returns {Tick[]} */
function powers(low, high, count) {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.max(Math.ceil((to - from) / Math.max(count, 2)), 1);
  const decades = Math.log10(high / low);
  const shares = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 3, 5];
  const ticks = [];
  for (let power = from; power <= to; power += 1) {
    if (power % every) continue;
    for (const share of shares) {
      const value = Number(`${share}e${power}`);
      if (value >= low * 0.999999 && value <= high * 1.000001) ticks.push({ value, text: Math.abs(power) > 3 ? `${share}e${power}` : trimmed(value) });
    }
  }
  return ticks;
}

/** @param {number} seconds */
function span(seconds) {
  const sign = seconds < 0 ? "-" : "";
  let rest = Math.abs(seconds);
  if (rest < 60) return `${sign}${trimmed(Number(rest.toPrecision(3)))}s`;
  rest = Math.round(rest);
  const parts = [];
  for (const [size, unit] of /** @type {[number, string][]} */ ([[DAY, "d"], [3600, "h"], [60, "m"], [1, "s"]])) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole) parts.push(`${whole}${unit}`);
  }
  return sign + parts.slice(0, 2).join(" ");
}

/** @param {number} seconds since 1970 @param {number} step of the axis; 0 tells all */
function clock(seconds, step) {
  const date = new Date(Math.round(seconds * 1000));
  if (Number.isNaN(date.getTime())) return String(seconds);
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const day = `${MONTHS[date.getMonth()]} ${date.getDate()}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step === 0) return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}:${two(date.getSeconds())}`;
  if (step >= DAY) return step >= 60 * DAY ? `${MONTHS[date.getMonth()]} ${date.getFullYear()}` : day;
  if (step < 1) return `${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  if (date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0) return day;
  return step < 60 ? `${time}:${two(date.getSeconds())}` : time;
}

/**
 * A value on its own, as it is read out.
 * @param {number} value
 * @param {Kind} kind
 */
export function told(value, kind = "number") {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "-∞" : "NaN";
  if (kind === "time") return clock(value, 0);
  if (kind === "duration") return span(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return size >= 1e4 ? value.toLocaleString("en-US") : String(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(4).replace(/\.?0+e\+?/, "e") : trimmed(Number(value.toPrecision(5)));
}

/** @param {string} [name] of an x axis @returns {Kind} */
export function kindOf(name) {
  return name === "_timestamp" ? "time" : name === "_relative" ? "duration" : "number";
}
