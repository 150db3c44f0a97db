// @ts-check
// Which points lie in an outline.

/**
 * @param {ArrayLike<number>} xs places; what has none is NaN
 * @param {ArrayLike<number>} ys
 * @param {number[][]} outline
 * @returns {number[]} of the points within, by the even-odd rule
 */
export function within(xs, ys, outline) {
  if (outline.length < 3) return [];
  const [ox, oy] = [0, 1].map((at) => Float64Array.from(outline, (one) => one[at]));
  const [left, right, top, bottom] = [Math.min(...ox), Math.max(...ox), Math.min(...oy), Math.max(...oy)];
  const found = [];
  for (let at = 0; at < xs.length; at += 1) {
    const x = xs[at];
    const y = ys[at];
    if (!(x >= left && x <= right && y >= top && y <= bottom)) continue;
    let isIn = false;
    for (let one = 0, two = outline.length - 1; one < outline.length; two = one++) {
      if (oy[one] > y !== oy[two] > y && x < ((ox[two] - ox[one]) * (y - oy[one])) / (oy[two] - oy[one]) + ox[one]) isIn = !isIn;
    }
    if (isIn) found.push(at);
  }
  return found;
}

/** @param {number[]} one corner @param {number[]} two the one across */
export function corners(one, two) {
  return [one, [two[0], one[1]], two, [one[0], two[1]]];
}

/**
 * An outline with few corners that is nearly the same: those that matter least go first.
 * @param {number[][]} outline
 * @param {number} most
 */
export function simplified(outline, most) {
  const kept = [...outline];
  const size = (/** @type {number} */ at) => {
    const [[ax, ay], [bx, by], [cx, cy]] = [-1, 0, 1].map((by) => kept[(at + by + kept.length) % kept.length]);
    return Math.abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay));
  };
  while (kept.length > 3) {
    let least = 0;
    const sizes = kept.map((_, at) => size(at));
    sizes.forEach((one, at) => one < sizes[least] && (least = at));
    // What is within a pixel nobody has drawn.
    if (kept.length <= most && sizes[least] > 1) break;
    kept.splice(least, 1);
  }
  return kept;
}
