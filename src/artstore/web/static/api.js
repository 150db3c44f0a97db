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

/** @param {string} name @returns {HTMLMetaElement|null} */
const meta = (name) => document.querySelector(`meta[name=artstore-${name}]`);

let count = 0;

/** What a request with a body has to say, so that no other page can make it. */
function form() {
  return { "Content-Type": "application/x-www-form-urlencoded", "X-Artstore-Token": meta("token")?.content ?? "" };
}

/**
 * The answer of the server; that there is none is told in words.
 * @param {string} address
 * @param {RequestInit} [init]
 */
export async function reached(address, init) {
  try {
    return await fetch(address, init);
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new ApiError({ code: "server-away", message: "the server does not answer", hint: "once it does, try again: nothing on this page is lost" }, 0);
  }
}

/**
 * Send a state that is too long for an address. A server that was started again has another token.
 * @param {string} address
 * @param {string} body
 * @param {RequestInit} [init]
 */
async function sent(address, body, init = {}) {
  const send = () => reached(address, { ...init, method: "POST", body, headers: { ...init.headers, ...form() } });
  const answer = await send();
  const known = meta("token");
  if (answer.status !== 403 || !known) return answer;
  const session = await reached(`${meta("root")?.content ?? ""}/api/v1/session`);
  const token = session.ok ? (await session.json()).token : known.content;
  if (token === known.content) return answer;
  known.content = token;
  return send();
}

export class Api {
  /** @param {Record<string, string>} links addresses by what they give */
  constructor(links) {
    this.links = links;
    this.generation = 0;
    // Tables side by side ask at once, each for itself.
    this.client = `${client}${(count += 1)}`;
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
    if (!options.free) headers["X-Artstore-Client"] = `${this.client};${this.generation}`;
    /** @type {RequestInit} */
    const init = { headers, signal: options.free ? undefined : this.controller.signal };
    const answer = isLong ? sent(this.links[what], query, init) : reached(`${this.links[what]}?${query}`, init);
    return this.answer(await answer);
  }

  /** @param {string} query a state that is too long for an address @returns {Promise<string>} its id */
  async keep(query) {
    return (await this.answer(await sent(this.links.view, query))).view;
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
