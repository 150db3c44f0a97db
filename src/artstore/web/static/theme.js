// Runs before the first paint: the theme that the reader chose, else that of the system.
try {
  const chosen = localStorage.getItem("artstore-theme");
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  }
} catch {
  // Storage may be switched off: then the system decides.
}
