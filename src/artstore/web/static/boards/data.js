// @ts-check
// The numbers of panels: those of all that want the same axis in one request.

import { reached, ApiError } from "../api.js";
import { apiAddress } from "./live.js";

const KEYS_MAX = 50;
const RUNS_MAX = 200;
const POINTS = 500;
const HISTORIES_MAX = 4;
const HISTORIES_ASKED = 12;

/** @typedef {{keys: string[], x: string, from: number|null, to: number|null, group: string}} Wanted */

/** @param {string} address @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function fetched(address, signal) {
  const answer = await reached(address, { headers: { Accept: "application/json" }, signal });
  const value = await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(value?.error ?? {}, answer.status);
  return value;
}

/** @template T @param {T[]} items @param {number} count @returns {T[][]} */
function parts(items, count) {
  return Array.from({ length: Math.ceil(items.length / count) }, (_, at) => items.slice(at * count, (at + 1) * count));
}

export class BoardData {
  /**
   * @param {string} project
   * @param {string[]} runs
   * @param {"history"|"system"} kind
   */
  constructor(project, runs, kind) {
    this.project = project;
    this.runs = runs.slice(0, RUNS_MAX);
    this.kind = kind;
  }

  /**
   * Fetch what several panels want; each gets what is its own.
   * @param {{wanted: Wanted, take: (told: {series: any[], groups: any[]}) => void, fail: (error: any) => void}[]} asked
   */
  async fetch(asked) {
    /** @type {Map<string, typeof asked>} */
    const alike = new Map();
    for (const one of asked) {
      const { x, from, to, group } = one.wanted;
      const name = JSON.stringify([x, from, to, group]);
      alike.set(name, [...(alike.get(name) ?? []), one]);
    }
    await Promise.all([...alike.values()].map((some) => this.fetchAlike(some)));
  }

  /** @param {Parameters<BoardData["fetch"]>[0]} asked of one axis and range */
  async fetchAlike(asked) {
    const { x, from, to, group } = asked[0].wanted;
    const keys = [...new Set(asked.flatMap((one) => one.wanted.keys))];
    try {
      const told = await Promise.all(parts(keys, KEYS_MAX).map((some) => this.ask(some, x, from, to, group)));
      const series = told.flatMap((one) => one.series);
      const groups = told.flatMap((one) => one.groups ?? []);
      for (const { wanted, take } of asked) take({ series: series.filter((one) => wanted.keys.includes(one.key)), groups: groups.filter((one) => wanted.keys.includes(one.key)) });
    } catch (error) {
      for (const { fail } of asked) fail(error);
    }
  }

  /** @param {string[]} keys @param {string} x @param {number|null} from @param {number|null} to @param {string} group */
  ask(keys, x, from, to, group) {
    const query = new URLSearchParams([...this.runs.map((run) => ["run", run]), ...keys.map((key) => ["key", key]), ["x", x], ["points", String(POINTS)]]);
    if (from !== null) query.set("from", String(from));
    if (from !== null || to !== null) query.set("edges", "1");
    if (to !== null) query.set("to", String(to));
    if (group) query.set("group", group);
    if (this.kind === "system") query.set("kind", "system");
    return fetched(apiAddress(this.project, `/series?${query}`));
  }

  /** The keys of a run as they are now. @param {string} run */
  async keys(run) {
    const told = await fetched(apiAddress(this.project, `/runs/${encodeURIComponent(run)}/keys`));
    return this.kind === "system" ? told.system.map((/** @type {any} */ one) => (typeof one === "string" ? { key: one, type: "number" } : { type: "number", ...one })) : told.keys;
  }

  /**
   * Histograms of a key over steps, of the first few runs that have some.
   * @param {{id: string, name: string}[]} runs
   * @param {string} key
   */
  async histograms(runs, key) {
    const query = new URLSearchParams([["key", key], ["points", "200"]]);
    /** @type {{id: string, name: string, data: any}[]} */
    const found = [];
    // Not every run has logged them.
    for (const some of parts(runs.slice(0, HISTORIES_ASKED), HISTORIES_MAX)) {
      const told = await Promise.all(some.map(async ({ id, name }) => ({ id, name, data: await fetched(apiAddress(this.project, `/runs/${encodeURIComponent(id)}/histograms?${query}`)) })));
      found.push(...told.filter(({ data }) => data.count || runs.length === 1));
      if (found.length >= HISTORIES_MAX) break;
    }
    return { series: [], groups: [], runs: found.slice(0, HISTORIES_MAX), isCut: runs.length > HISTORIES_MAX && found.length >= HISTORIES_MAX };
  }
}
