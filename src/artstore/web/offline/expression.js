// @ts-check
// Simple conditions in SQL, as docs/reference/expressions.md has them, without a server: comparisons, AND, OR, NOT,
// IN, BETWEEN, IS NULL, LIKE, arithmetic and some functions. What it does not know is refused, never guessed.

import { ROUNDED, clock, compare, moment, valueOf } from "./values.js";

/** @typedef {import("./values.js").Kind} Kind */
/** @typedef {{kind: Kind, at: (row: number) => any, from: number, text?: string, rounded?: (n: number) => number, isCut?: boolean}} Node */
/** @typedef {{kind: Kind, values: any[], cells: any[], type: string, isCut: boolean}} Values of a column */

export class ExpressionError extends Error {
  /** @param {string} message @param {number} position */
  constructor(message, position) {
    super(message);
    this.position = position;
  }
}

const TOKEN = /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|'((?:[^']|'')*)'|"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z_0-9]*)|(<=|>=|<>|!=|==|\|\||[-+*/%=<>(),.[\]]))/y;
/** Texts are cut at so many characters: a shorter one is told from them by what is there. */
const KEPT_CHARS = 1000;
const HINT = "a file knows comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL and simple functions; a server (art serve) knows the rest";

/** @typedef {{kind: "number"|"text"|"name"|"word"|"sign"|"end", text: string, from: number}} Token */

/** @param {string} text @returns {Token[]} */
function tokens(text) {
  /** @type {Token[]} */
  const found = [];
  TOKEN.lastIndex = 0;
  let at = 0;
  while (text.slice(at).trim()) {
    const match = TOKEN.exec(text);
    if (!match) throw new ExpressionError("this cannot be read", at + (/^\s*/.exec(text.slice(at))?.[0].length ?? 0));
    const from = TOKEN.lastIndex - match[0].trimStart().length;
    if (match[1] !== undefined) found.push({ kind: "number", text: match[1], from });
    else if (match[2] !== undefined) found.push({ kind: "text", text: match[2].replaceAll("''", "'"), from });
    else if (match[3] !== undefined) found.push({ kind: "name", text: match[3].replaceAll('""', '"'), from });
    else if (match[4] !== undefined) found.push({ kind: "word", text: match[4], from });
    else found.push({ kind: "sign", text: match[5], from });
    at = TOKEN.lastIndex;
  }
  found.push({ kind: "end", text: "", from: text.length });
  return found;
}

const points = (/** @type {string} */ text) => [...text].length;
const pad = (/** @type {number} */ from, /** @type {number} */ to) => (/** @type {string} */ text) => (text.length > from ? Number(text.slice(from, to)) : 0);
const away = (/** @type {number} */ x) => Math.sign(x) * Math.round(Math.abs(x));

/** @type {Record<string, [Kind[], Kind, (...values: any[]) => any]>} kinds that are taken, the kind that is given */
const FUNCTIONS = {
  ISNAN: [["number"], "bool", (x) => Number.isNaN(x)],
  ABS: [["number"], "number", (x) => Math.abs(Number(x))],
  FLOOR: [["number"], "number", (x) => Math.floor(Number(x))],
  CEIL: [["number"], "number", (x) => Math.ceil(Number(x))],
  ROUND: [["number"], "number", (x) => away(Number(x))],
  SQRT: [["number"], "number", (x) => (x < 0 ? null : Math.sqrt(Number(x)))],
  LN: [["number"], "number", (x) => (x <= 0 ? null : Math.log(Number(x)))],
  LOWER: [["text"], "text", (x) => x.toLowerCase()],
  UPPER: [["text"], "text", (x) => x.toUpperCase()],
  TRIM: [["text"], "text", (x) => x.replace(/^ +| +$/g, "")],
  LENGTH: [["text"], "number", points],
  LEN: [["list"], "number", (x) => x.length],
  STARTS_WITH: [["text", "text"], "bool", (x, y) => x.startsWith(y)],
  ENDS_WITH: [["text", "text"], "bool", (x, y) => x.endsWith(y)],
  CONTAINS: [["text", "text"], "bool", (x, y) => x.includes(y)],
  YEAR: [["time"], "number", (x) => Number(/^[+-]?\d+/.exec(x)?.[0])],
  MONTH: [["time"], "number", pad(5, 7)],
  DAY: [["time"], "number", pad(8, 10)],
  HOUR: [["time"], "number", pad(11, 13)],
  MINUTE: [["time"], "number", pad(14, 16)],
};
FUNCTIONS.CEILING = FUNCTIONS.CEIL;

class Parser {
  /** @param {string} text @param {Map<string, Values>} columns */
  constructor(text, columns) {
    if (text.trim().startsWith("{")) throw new ExpressionError("a file knows no conditions of Mongo: write it in SQL", 0);
    this.tokens = tokens(text);
    this.columns = columns;
    this.place = 0;
  }

  get token() {
    return this.tokens[this.place];
  }

  /** @param {...string} words in capitals, or signs */
  takes(...words) {
    const { kind, text } = this.token;
    const is = kind === "word" ? words.includes(text.toUpperCase()) : kind === "sign" && words.includes(text);
    if (is) this.place += 1;
    return is ? (kind === "word" ? text.toUpperCase() : text) : null;
  }

  /** @param {string} word */
  must(word) {
    if (!this.takes(word)) throw this.fail(`${word} is missing here`);
  }

  /** @param {string} message @param {number} [position] */
  fail(message, position = this.token.from) {
    return new ExpressionError(message, position);
  }

  /** @returns {Node} */
  whole() {
    const node = this.or();
    if (this.token.kind !== "end") throw this.fail(`${JSON.stringify(this.token.text)} is not understood here: ${HINT}`);
    return node;
  }

  /** @returns {Node} */
  or() {
    let left = this.and();
    while (this.takes("OR")) left = this.logic(left, this.and(), true);
    return left;
  }

  /** @returns {Node} */
  and() {
    let left = this.not();
    while (this.takes("AND")) left = this.logic(left, this.not(), false);
    return left;
  }

  /** @param {Node} a @param {Node} b @param {boolean} decides the value that decides it alone @returns {Node} */
  logic(a, b, decides) {
    this.wants(a, "bool");
    this.wants(b, "bool");
    return {
      kind: "bool",
      from: a.from,
      at: (row) => {
        const [one, two] = [a.at(row), b.at(row)];
        if (one === decides || two === decides) return decides;
        return one === null || two === null ? null : !decides;
      },
    };
  }

  /** @returns {Node} */
  not() {
    const { from } = this.token;
    if (!this.takes("NOT")) return this.comparison();
    const node = this.not();
    this.wants(node, "bool");
    return { kind: "bool", from, at: negated(node.at) };
  }

  /** @returns {Node} */
  comparison() {
    const left = this.sum();
    const sign = this.takes("=", "==", "!=", "<>", "<", "<=", ">", ">=");
    if (sign) return this.compared(left, this.sum(), SIGNS[sign]);
    if (this.takes("IS")) return this.is(left);
    const isNot = this.takes("NOT") !== null;
    const word = this.takes("IN", "LIKE", "ILIKE", "BETWEEN");
    if (!word) {
      if (isNot) throw this.fail("IN, LIKE, ILIKE or BETWEEN is missing here");
      return left;
    }
    const node = word === "IN" ? this.among(left) : word === "BETWEEN" ? this.between(left) : this.like(left, word === "ILIKE");
    return isNot ? { ...node, at: negated(node.at) } : node;
  }

  /** @param {Node} left @returns {Node} */
  is(left) {
    const isNot = this.takes("NOT") !== null;
    /** @type {(row: number) => boolean} */
    let at;
    if (this.takes("NULL")) at = (row) => left.at(row) === null;
    else if (this.takes("DISTINCT")) {
      this.must("FROM");
      const right = this.sum();
      const same = this.compared(left, right, (order) => order === 0).at;
      at = (row) => {
        const [one, two] = [left.at(row), right.at(row)];
        return one === null || two === null ? one !== two : !same(row);
      };
    } else {
      const word = this.takes("TRUE", "FALSE");
      if (!word) throw this.fail(`NULL, TRUE, FALSE or DISTINCT FROM is missing here`);
      this.wants(left, "bool");
      at = (row) => left.at(row) === (word === "TRUE");
    }
    return { kind: "bool", from: left.from, at: isNot ? (row) => !at(row) : at };
  }

  /** @param {Node} left @returns {Node} */
  among(left) {
    if (!this.takes("(")) {
      const list = this.sum();
      this.wants(list, "list");
      return { kind: "bool", from: left.from, at: held(list, left) };
    }
    const given = [];
    do given.push(this.sum());
    while (this.takes(","));
    this.must(")");
    const tests = given.map((node) => this.compared(rounding(left, given), node, SIGNS["="]));
    return tests.reduce((one, two) => this.logic(one, two, true));
  }

  /** @param {Node} left @returns {Node} */
  between(left) {
    const low = this.sum();
    this.must("AND");
    const high = this.sum();
    const node = rounding(left, [low, high]);
    return this.logic(this.compared(node, low, SIGNS[">="]), this.compared(node, high, SIGNS["<="]), false);
  }

  /** @param {Node} left @param {boolean} isBlind whether capitals do not count @returns {Node} */
  like(left, isBlind) {
    this.wants(left, "text");
    const { kind, text, from } = this.token;
    if (kind !== "text") throw this.fail("a pattern in single quotes is missing here");
    this.place += 1;
    if (this.takes("ESCAPE")) throw this.fail(`ESCAPE is not understood here: ${HINT}`, from);
    const pattern = text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&").replaceAll("%", "[^]*?").replaceAll("_", "[^]");
    const regex = new RegExp(`^${pattern.replaceAll("\\-", "-")}$`, isBlind ? "iu" : "u");
    return { kind: "bool", from: left.from, at: (row) => (left.at(row) === null ? null : regex.test(left.at(row))) };
  }

  /** @param {Node} a @param {Node} b @param {(order: number) => boolean} test @returns {Node} */
  compared(a, b, test) {
    [a, b] = [this.fitted(a, b), this.fitted(b, a)];
    if (a.kind !== b.kind && a.kind !== "null" && b.kind !== "null") throw this.fail(`${a.kind} is not compared with ${b.kind}`, a.from);
    for (const [one, other] of [[a, b], [b, a]]) if (one.isCut && (other.text === undefined || points(other.text) >= KEPT_CHARS)) throw this.cut(one);
    if (["dict", "list", "other"].includes(a.kind) || (a.kind === "duration")) throw this.fail(`values of this kind are not compared: ${HINT}`, a.from);
    return {
      kind: "bool",
      from: a.from,
      at: (row) => {
        const [one, two] = [a.at(row), b.at(row)];
        return one === null || two === null ? null : test(compare(one, two));
      },
    };
  }

  /** What is written out, as the other side has it: a text beside a time, a number beside a short float. @param {Node} a @param {Node} b @returns {Node} */
  fitted(a, b) {
    if (a.text === undefined) return a;
    if (a.kind === "text" && (b.kind === "time" || b.kind === "clock")) {
      const value = (b.kind === "time" ? moment : clock)(a.text);
      if (value === null) throw this.fail(`'${a.text}' is no time such as 2024-01-31T12:00:00`, a.from);
      return { kind: b.kind, from: a.from, at: () => value };
    }
    const { rounded } = b;
    if (a.kind === "number" && rounded) return { ...a, at: (row) => (typeof a.at(row) === "number" ? rounded(a.at(row)) : a.at(row)) };
    return a;
  }

  /** @returns {Node} */
  sum() {
    let left = this.product();
    for (;;) {
      const sign = this.takes("+", "-", "||");
      if (!sign) return left;
      const right = this.product();
      left = sign === "||" ? this.of(left.from, "text", [left, right], "text", (x, y) => x + y) : this.of(left.from, "number", [left, right], "number", sign === "+" ? (x, y) => Number(x) + Number(y) : (x, y) => Number(x) - Number(y));
    }
  }

  /** @returns {Node} */
  product() {
    let left = this.unary();
    for (;;) {
      const sign = this.takes("*", "/", "%");
      if (!sign) return left;
      /** @type {Record<string, (x: any, y: any) => any>} */
      const runs = { "*": (x, y) => Number(x) * Number(y), "/": (x, y) => (Number(y) === 0 ? null : Number(x) / Number(y)), "%": (x, y) => (Number(y) === 0 ? null : Number(x) % Number(y)) };
      left = this.of(left.from, "number", [left, this.unary()], "number", runs[sign]);
    }
  }

  /** @returns {Node} */
  unary() {
    const { from } = this.token;
    if (!this.takes("-")) return this.takes("+") ? this.unary() : this.primary();
    const node = this.unary();
    const minus = this.of(from, "number", [node], "number", (x) => -x);
    return node.text === undefined ? minus : { ...minus, text: `-${node.text}` };
  }

  /** @returns {Node} */
  primary() {
    const { kind, text, from } = this.token;
    this.place += 1;
    if (kind === "number") {
      const number = /^\d+$/.test(text) && !Number.isSafeInteger(Number(text)) ? BigInt(text) : Number(text);
      return { kind: "number", from, text, at: () => number };
    }
    if (kind === "text") return { kind: "text", from, text, at: () => text };
    if (kind === "name") return this.path(this.column(text, from));
    if (kind === "sign" && text === "(") {
      const node = this.or();
      this.must(")");
      return { ...node, from };
    }
    if (kind === "word") return this.word(text, from);
    this.place -= 1;
    throw this.fail(kind === "end" ? "something is missing at the end" : `${JSON.stringify(text)} is not understood here: ${HINT}`, from);
  }

  /** @param {string} text @param {number} from @returns {Node} */
  word(text, from) {
    const word = text.toUpperCase();
    if (word === "TRUE" || word === "FALSE") return { kind: "bool", from, at: () => word === "TRUE" };
    if (word === "NULL") return { kind: "null", from, at: () => null };
    if ((word === "DATE" || word === "TIMESTAMP") && this.token.kind === "text") {
      const value = moment(this.token.text);
      if (value === null) throw this.fail("this is no time such as 2024-01-31");
      this.place += 1;
      return { kind: "time", from, at: () => value };
    }
    if (this.token.kind === "sign" && this.token.text === "(" && !this.columns.has(text)) return this.call(word, text, from);
    return this.path(this.column(text, from));
  }

  /** @param {string} word @param {string} text @param {number} from @returns {Node} */
  call(word, text, from) {
    const of = Object.hasOwn(FUNCTIONS, word) ? FUNCTIONS[word] : null;
    const isChoice = word === "COALESCE" || word === "IFNULL";
    const isHeld = word === "LIST_CONTAINS" || word === "LIST_HAS";
    if (!of && !isChoice && !isHeld) throw this.fail(`${text} is no function that a file knows: ${HINT}`, from);
    this.must("(");
    /** @type {Node[]} */
    const given = [];
    if (!this.takes(")")) {
      do given.push(this.or());
      while (this.takes(","));
      this.must(")");
    }
    const most = of ? of[0].length : 2;
    if (isChoice ? !given.length : given.length !== most) throw this.fail(`${text} takes ${most === 1 ? "one value" : `${most} values`}`, from);
    if (of) {
      // A cut text begins as the whole one.
      given.forEach((node, at) => this.wants(word === "STARTS_WITH" && !at ? { ...node, isCut: false } : node, of[0][at]));
      return this.of(from, null, given, of[1], of[2]);
    }
    if (isHeld) {
      this.wants(given[0], "list");
      return { kind: "bool", from, at: held(given[0], given[1]) };
    }
    const kind = given.find((node) => node.kind !== "null")?.kind ?? "null";
    given.forEach((node) => this.wants(node, kind));
    return { kind, from, at: (row) => given.map((node) => node.at(row)).find((value) => value !== null) ?? null };
  }

  /** @param {string} name @param {number} from @returns {Node} */
  column(name, from) {
    const found = this.columns.get(name);
    if (!found) throw this.fail(`there is no column ${JSON.stringify(name)} in this file`, from);
    if (found.kind === "other") throw this.fail(`the column ${JSON.stringify(name)} of ${found.type} is not looked into: ${HINT}`, from);
    const { values, cells, kind } = found;
    return { kind, from, at: (row) => (kind === "dict" ? cells[row] : values[row]), rounded: ROUNDED[found.type], isCut: found.isCut };
  }

  /** Members of dictionaries. @param {Node} node @returns {Node} */
  path(node) {
    if (node.kind !== "dict" || !this.takes(".")) return node;
    const { kind, text, from } = this.token;
    if (kind !== "word" && kind !== "name") throw this.fail("a name is missing here");
    this.place += 1;
    throw this.fail(`members of dictionaries and pictures such as ${JSON.stringify(text)} are not looked into: ${HINT}`, from);
  }

  /** A function of values, null if one of them is. @param {number} from @param {Kind|null} taken @param {Node[]} given @param {Kind} kind @param {(...values: any[]) => any} run @returns {Node} */
  of(from, taken, given, kind, run) {
    if (taken) given.forEach((node) => this.wants(node, taken));
    return {
      kind,
      from,
      at: (row) => {
        const values = given.map((node) => node.at(row));
        return values.includes(null) ? null : run(...values);
      },
    };
  }

  /** @param {Node} node */
  cut(node) {
    return this.fail("texts of this column are cut in this file: only how they begin, and whether they are a short text, can be asked", node.from);
  }

  /** @param {Node} node @param {Kind} kind */
  wants(node, kind) {
    if (node.isCut) throw this.cut(node);
    if (node.kind !== kind && node.kind !== "null") throw this.fail(`this is ${node.kind}, and ${kind} is wanted`, node.from);
  }
}

/** @type {Record<string, (order: number) => boolean>} */
const SIGNS = {
  "=": (order) => order === 0,
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<>": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

/** Beside anything but what is written out the engine takes a short float for a long one. @param {Node} node @param {Node[]} others @returns {Node} */
function rounding(node, others) {
  return others.every((other) => other.text !== undefined) ? node : { ...node, rounded: undefined };
}

/** @param {(row: number) => any} at @returns {(row: number) => any} */
function negated(at) {
  return (row) => (at(row) === null ? null : !at(row));
}

/** @param {Node} list @param {Node} node @returns {(row: number) => any} */
function held(list, node) {
  return (row) => {
    const [values, wanted] = [list.at(row), node.at(row)];
    if (values === null || wanted === null) return null;
    return values.some((/** @type {any} */ value) => value !== null && typeof value === typeof wanted && compare(value, wanted) === 0);
  };
}

/**
 * @param {string} text
 * @param {Map<string, Values>} columns
 * @returns {Node}
 */
export function parseValue(text, columns) {
  return new Parser(text, columns).whole();
}

/**
 * @param {string} text
 * @param {Map<string, Values>} columns
 * @returns {(row: number) => boolean}
 */
export function parseCondition(text, columns) {
  const node = parseValue(text, columns);
  if (node.kind !== "bool" && node.kind !== "null") throw new ExpressionError(`this is ${node.kind}, and a condition is true or false`, node.from);
  return (row) => node.at(row) === true;
}

/** @param {any[]} cells @param {Kind} kind @param {string} type @returns {Values} */
export function valuesOf(cells, kind, type) {
  return { kind, type, cells, isCut: cells.some((cell) => cell?.$ === "text"), values: kind === "dict" || kind === "other" ? cells : cells.map(valueOf) };
}
