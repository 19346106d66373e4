// Sets the colour theme before the first paint, so that a dark page never flashes light.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const root = document.documentElement;
    // What the user has settled in the profile, what was chosen in this browser, what the system wishes.
    root.dataset.bsTheme = root.dataset.theme ?? localStorage.getItem("theme") ?? (system.matches ? "dark" : "light");
  };
  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
})();
