// The search box of every page: a key that leads there, and suggestions that the arrow keys walk through.

const form = document.querySelector("[data-everywhere]");

if (form) {
  const box = form.querySelector("input");
  const panel = form.querySelector("#suggestions");
  const status = form.querySelector("[role=status]");
  const close = () => (panel.hidden = true);

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
    box.select();
  });

  panel.addEventListener("htmx:afterSwap", () => {
    const said = panel.querySelector("[data-said]")?.dataset.said ?? "";
    // An answer may come when the box was left or emptied again.
    panel.hidden = !said || !form.contains(document.activeElement) || box.value.trim().length < 2;
    status.textContent = panel.hidden ? "" : said;
  });

  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) {
      event.preventDefault();
      close();
      box.focus();
    } else if (["ArrowDown", "ArrowUp"].includes(event.key) && !panel.hidden) {
      event.preventDefault();
      const stops = [box, ...panel.querySelectorAll("a")];
      const step = event.key === "ArrowDown" ? 1 : -1;
      stops[(stops.indexOf(document.activeElement) + step + stops.length) % stops.length].focus();
    }
  });

  box.addEventListener("input", () => {
    if (box.value.trim().length < 2) close();
  });
  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget)) close();
  });
}
