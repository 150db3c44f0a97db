// What every page has: the switch between light and dark.

const NEXT = { system: "light", light: "dark", dark: "system" };
const root = document.documentElement;

function current() {
  return root.dataset.theme ?? "system";
}

function choose(theme) {
  if (theme === "system") {
    delete root.dataset.theme;
  } else {
    root.dataset.theme = theme;
  }
  try {
    localStorage.setItem("artstore-theme", theme);
  } catch {
    // Storage may be switched off: the choice then lasts as long as the page.
  }
  document.dispatchEvent(new CustomEvent("artstore-theme", { detail: theme }));
}

for (const image of document.querySelectorAll("img[data-broken]")) {
  const tell = () => {
    const note = document.createElement("p");
    note.className = "note";
    note.textContent = image.dataset.broken;
    (image.closest("a") ?? image).replaceWith(note);
  };
  // It may have failed before this ran.
  if (image.complete && !image.naturalWidth) tell();
  else image.addEventListener("error", tell);
}

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  const tell = () => {
    button.textContent = `Theme: ${current()}`;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    choose(NEXT[current()]);
    tell();
  });
  tell();
}
