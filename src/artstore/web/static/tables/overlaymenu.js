// @ts-check
// Switches for boxes and masks: layers and classes by name, scores, opacity.

import { h, short } from "../dom.js";
import { colourOf, seen, shown, updateOverlays } from "../overlays.js";
import { named } from "../state.js";

/**
 * @param {any} app
 * @returns {HTMLElement}
 */
export function overlayMenu(app) {
  /** @param {string} label @param {Set<string>} hidden @param {string} name @param {string|null} colour @param {string} field */
  const toggle = (label, hidden, name, colour, field) => {
    const dot = h("span", { class: "dot" });
    if (colour) dot.style.background = colour;
    return h("label", null, h("input", {
      type: "checkbox",
      checked: !hidden.has(name),
      onchange: (/** @type {Event} */ event) => {
        if (/** @type {HTMLInputElement} */ (event.target).checked) hidden.delete(name);
        else hidden.add(name);
        updateOverlays();
        app.change({ [field]: [...hidden] }, false, true);
      },
    }), colour ? dot : null, ` ${label}`);
  };
  const scores = [...seen.scores].map(([name, [low, high]]) => {
    const value = shown.scores[name] ?? low;
    // An output would take the label that is the slider's.
    const told = h("span", null, short(value));
    const slider = h("input", { type: "range", min: low, max: high, step: (high - low) / 100 || 0.01, value, oninput: () => {
      const least = Number(slider.value);
      told.textContent = short(least);
      if (least <= low) delete shown.scores[name];
      else shown.scores[name] = least;
      updateOverlays();
      app.change({ scores: named(shown.scores) }, false, true);
    } });
    return h("label", { class: "slider" }, `${name} at least `, told, slider);
  });
  const opacity = h("input", { type: "range", min: 0, max: 100, value: shown.opacity, oninput: () => {
    shown.opacity = Number(opacity.value);
    updateOverlays();
    app.change({ opacity: shown.opacity }, false, true);
  } });
  const classes = [...seen.classes].sort(([a], [b]) => a.localeCompare(b));
  return h(
    "div",
    { class: "overlay-menu", role: "dialog", "aria-label": "Boxes and masks" },
    h("fieldset", null, h("legend", null, "Layers"), ...[...seen.layers].sort().map((name) => toggle(name, shown.hiddenLayers, name, null, "hiddenLayers"))),
    h("fieldset", null, h("legend", null, "Classes"), ...classes.map(([name, id]) => toggle(name, shown.hiddenClasses, name, colourOf(id, name), "hiddenClasses"))),
    ...scores,
    h("label", { class: "slider" }, "Opacity of masks ", opacity),
  );
}
