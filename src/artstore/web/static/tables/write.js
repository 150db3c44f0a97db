// The table page of a server that lets visitors write.
import "./saving.js";
import "./table.js";
