// @ts-check
// Requests to the server: a newer view ends what runs for an older one, here and there.

/** What went wrong, as the server tells it. */
export class ApiError extends Error {
  /** @param {{code?: string, message?: string, hint?: string|null, position?: number|null, part?: string|null}} told @param {number} status */
  constructor(told, status) {
    super(told.message ?? `the server answered ${status}`);
    this.code = told.code ?? "unexpected";
    this.hint = told.hint ?? null;
    this.position = told.position ?? null;
    this.part = told.part ?? null;
    this.status = status;
  }
}

const client = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What a request with a body has to say, so that no other page can make it. */
const FORM = {
  "Content-Type": "application/x-www-form-urlencoded",
  "X-Artstore-Token": /** @type {HTMLMetaElement|null} */ (document.querySelector("meta[name=artstore-token]"))?.content ?? "",
};

export class Api {
  /** @param {Record<string, string>} links addresses by what they give */
  constructor(links) {
    this.links = links;
    this.generation = 0;
    this.controller = new AbortController();
  }

  /** Ends all requests of the view before. */
  renew() {
    this.generation += 1;
    this.controller.abort();
    this.controller = new AbortController();
  }

  /**
   * @param {string} what
   * @param {[string, any][]} pairs
   * @param {{free?: boolean}} [options] free: no part of the view, goes on when it changes
   * @returns {Promise<any>}
   */
  async get(what, pairs, options = {}) {
    const query = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
    const isLong = query.length > 6000;
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (!options.free) headers["X-Artstore-Client"] = `${client};${this.generation}`;
    /** @type {RequestInit} */
    const init = { headers, signal: options.free ? undefined : this.controller.signal };
    if (isLong) {
      init.method = "POST";
      init.body = query;
      Object.assign(headers, FORM);
    }
    return this.answer(await fetch(isLong ? this.links[what] : `${this.links[what]}?${query}`, init));
  }

  /** @param {string} query a state that is too long for an address @returns {Promise<string>} its id */
  async keep(query) {
    const answer = await fetch(this.links.view, {
      method: "POST",
      body: query,
      headers: FORM,
    });
    return (await this.answer(answer)).view;
  }

  /** @param {Response} response */
  async answer(response) {
    let value = null;
    try {
      value = await response.json();
    } catch {
      // What is no JSON comes from something between here and the server.
    }
    if (!response.ok) throw new ApiError(value?.error ?? {}, response.status);
    return value;
  }
}
