// @ts-check
// A file keeps its view behind `?` as the page does, where the browser lets it; else the view lasts as long as the window.

import { parse } from "../static/state.js";
import { Api } from "./api.js";

for (const name of /** @type {const} */ (["pushState", "replaceState"])) {
  const own = history[name].bind(history);
  history[name] = (state, unused, address) => {
    try {
      own(state, unused, address);
    } catch {
      own(state, unused);
    }
  };
}

const holder = document.getElementById("table-data");
if (holder && location.search.length > 1) {
  const data = JSON.parse(holder.textContent ?? "");
  const query = location.search.slice(1);
  const { error, columns } = new Api().check(parse(query));
  const table = { ...data.table, columns: columns ?? data.table.columns };
  holder.textContent = JSON.stringify({ ...data, query, error, table });
}
