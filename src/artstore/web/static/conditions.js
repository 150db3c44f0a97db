// @ts-check
// Conditions as text: what a click on a value or a bar adds to the filter.

/** @param {string} name */
export function quoted(name) {
  return /^[A-Za-z_][A-Za-z_0-9]*$/.test(name) && !RESERVED.has(name.toUpperCase())
    ? name
    : `"${name.replaceAll('"', '""')}"`;
}

const RESERVED = new Set(
  ("ALL AND ANY AS ASC BETWEEN BY CASE CAST CROSS DATE DESC DISTINCT ELSE END EXISTS FALSE FILTER FOR FROM FULL GROUP " +
    "HAVING IF ILIKE IN INNER INTERVAL INTO IS JOIN LEFT LIKE LIMIT NATURAL NOT NULL OFFSET ON OR ORDER OUTER OVER " +
    "RIGHT SELECT SOME TABLE THEN TIME TIMESTAMP TO TRUE UNION USING VALUES WHEN WHERE WINDOW WITH T0 T1").split(" "),
);

/** @param {string} text */
export function textLiteral(text) {
  return `'${text.replaceAll("'", "''")}'`;
}

/** @param {number|string} number */
function numberLiteral(number) {
  return typeof number === "number" && Object.is(number, -0) ? "0" : String(number);
}

/**
 * A literal of a cell; null if its kind has none.
 * @param {any} cell
 * @returns {string|null}
 */
export function literal(cell) {
  if (typeof cell === "string") return textLiteral(cell);
  if (typeof cell === "number") return numberLiteral(cell);
  if (typeof cell === "boolean") return cell ? "TRUE" : "FALSE";
  if (cell?.$ === "time" && typeof cell.v === "string") return textLiteral(cell.v);
  if (cell?.$ === "number" && /^-?[0-9.]+$/.test(cell.v)) return cell.v;
  if (cell?.$ === "number" && cell.v === "-0") return "0";
  return null;
}

/**
 * The condition that a column has the value of a cell; null if none can be written.
 * @param {string} column
 * @param {any} cell
 * @param {boolean} [negated]
 * @returns {string|null}
 */
export function equals(column, cell, negated = false) {
  const name = quoted(column);
  if (cell === null) return `${name} IS ${negated ? "NOT " : ""}NULL`;
  if (typeof cell === "boolean") return `${name} IS ${negated ? "NOT " : ""}${cell ? "TRUE" : "FALSE"}`;
  if (cell?.$ === "number" && cell.v === "nan") return `${negated ? "NOT " : ""}isnan(${name})`;
  if (cell?.$ === "number" && cell.v === "inf") return `${name} ${negated ? "<=" : ">"} 1.7976931348623157e308`;
  if (cell?.$ === "number" && cell.v === "-inf") return `${name} ${negated ? ">=" : "<"} -1.7976931348623157e308`;
  if (cell?.$ === "text") return `${negated ? "NOT " : ""}starts_with(${name}, ${textLiteral(cell.v)})`;
  const value = literal(cell);
  if (value === null) return null;
  return negated ? `${name} IS DISTINCT FROM ${value}` : `${name} = ${value}`;
}

/**
 * The condition that a column lies in a range of bins; null if none can be written.
 * @param {string} column
 * @param {any} from
 * @param {any} to
 * @param {boolean} closed whether `to` belongs to the range: in the last bin
 */
export function between(column, from, to, closed) {
  const name = quoted(column);
  const [low, high] = [literal(from), literal(to)];
  if (low === null || high === null) return null;
  return `${name} >= ${low} and ${name} ${closed ? "<=" : "<"} ${high}`;
}
