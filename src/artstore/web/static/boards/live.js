// @ts-check
// Hearing of changes of runs: told once a second at the most, more rarely where it takes long, and only
// while somebody looks.

import { h } from "../dom.js";

const LEAST = 1000;
/** How much longer than what is done about a change the time to the next one is. */
const SHARE = 4;
/** Until what could not be fetched is fetched again: no other change may come. */
export const AGAIN = 5000;
/** Until who was told that he cannot watch asks again; what he sees is renewed all the same. */
const REFUSED = 15_000;

/** Whether what failed may succeed by itself: the server is away, or does not reach its store. @param {any} error */
export const isPassing = (error) => error.status === 0 || error.status >= 500;

/** @returns {string} what stands before every address */
export const root = () => /** @type {HTMLMetaElement|null} */ (document.querySelector("meta[name=artstore-root]"))?.content ?? "";

/** @param {string} project @param {string} rest */
export const apiAddress = (project, rest) => `${root()}/api/v1/p/${encodeURIComponent(project)}${rest}`;

/** Streams by what they tell of: parts of a page that want the same share one. @type {Map<string, Stream>} */
const streams = new Map();

// A browser has six connections to a server in all: pages that nobody sees hold none.
class Stream {
  /** @param {string} project @param {string[]} runs @param {number|null} since */
  constructor(project, runs, since) {
    this.project = project;
    this.runs = runs;
    this.since = since;
    /** @type {Set<(changed: string[]) => void>} */
    this.listeners = new Set();
    /** @type {EventSource|null} */
    this.source = null;
    this.timer = 0;
    this.note = h("p", { class: "note", role: "status" }, "The server does not answer: what stands here may be old.");
    document.addEventListener("visibilitychange", () => this.look());
    addEventListener("pagehide", () => this.close());
    // A page that comes back out of the history goes on.
    addEventListener("pageshow", (event) => event.persisted && this.look());
    if (!document.hidden) this.open();
  }

  open() {
    const query = new URLSearchParams(this.runs.map((id) => ["run", id]));
    // What happened since the page was made is told at once.
    if (this.since !== null) query.set("since", String(this.since));
    this.since = null;
    this.source = new EventSource(apiAddress(this.project, `/events?${query}`));
    this.source.addEventListener("runs", (event) => {
      const told = JSON.parse(/** @type {MessageEvent} */ (event).data);
      // Of very many at once it is only told that they changed.
      this.tell(told.is_all ? told.runs.map((/** @type {any} */ one) => one.run) : this.every);
    });
    this.source.addEventListener("open", () => this.answered());
    this.source.addEventListener("error", () => {
      // The browser tries again by itself, unless the answer is no stream: that of a proxy whose
      // server is away, or that there is one watcher too many.
      if (this.source?.readyState !== EventSource.CLOSED) {
        this.timer ||= window.setTimeout(() => document.querySelector("main")?.prepend(this.note), AGAIN);
        return;
      }
      this.close();
      setTimeout(() => this.look(), REFUSED);
    });
  }

  answered() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.note.remove();
  }

  close() {
    this.answered();
    this.source?.close();
    this.source = null;
  }

  /** All that it tells of; an empty text stands for any run. */
  get every() {
    return this.runs.length ? this.runs : [""];
  }

  look() {
    if (document.hidden || !this.listeners.size) return this.close();
    if (this.source) return;
    this.open();
    this.tell(this.every);
  }

  /** @param {string[]} changed */
  tell(changed) {
    for (const listener of this.listeners) listener(changed);
  }
}

/**
 * Call something when one of some runs has changed.
 * @param {string} project
 * @param {string[]} runs ids; none: all of the project
 * @param {(changed: Set<string>) => Promise<void>|void} run gets their ids; an empty one stands for any
 * @param {number|null} [since] the revision that the page shows
 * @returns {() => void} what ends it
 */
export function follow(project, runs, run, since = null) {
  const name = JSON.stringify([project, runs]);
  const stream = streams.get(name) ?? new Stream(project, runs, since);
  streams.set(name, stream);
  /** @type {Set<string>} */
  let changed = new Set();
  let [next, timer, isBusy] = [0, 0, false];
  const tell = async () => {
    timer = 0;
    if (isBusy || !changed.size || document.hidden || !stream.listeners.has(hear)) return;
    const begun = performance.now();
    const wait = next - begun;
    if (wait > 0) {
      timer = window.setTimeout(tell, wait);
      return;
    }
    isBusy = true;
    const told = changed;
    changed = new Set();
    try {
      await run(told);
      next = begun + Math.max(LEAST, SHARE * (performance.now() - begun));
    } catch (error) {
      next = begun + AGAIN;
      if (isPassing(error)) for (const one of told) changed.add(one);
    }
    isBusy = false;
    tell();
  };
  const hear = (/** @type {string[]} */ news) => {
    for (const one of news) changed.add(one);
    if (!timer) tell();
  };
  stream.listeners.add(hear);
  return () => {
    clearTimeout(timer);
    stream.listeners.delete(hear);
    if (!stream.listeners.size) stream.close();
  };
}
