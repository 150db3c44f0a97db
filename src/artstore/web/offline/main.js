// @ts-check
// The page of a table as a file: the same modules, with an api.js that asks nobody.

import "./address.js";
import "../static/page.js";
import "../static/tables/table.js";
