// @ts-check
// Numbers of rows as a short text, `0,4-9,12`; the server reads and writes the same.

/** @param {Iterable<number>} numbers @returns {string} */
export function rangesOf(numbers) {
  /** @type {[number, number][]} */
  const found = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = found[found.length - 1];
    if (last && number <= last[1] + 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(",");
}

/** @param {string|null} text @returns {number[]} */
export function numbersOf(text) {
  return (text || "").split(",").filter(Boolean).flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}
