// What the pages cannot do by themselves: theme button, announcements, warning about unsaved changes.

import "./lists.js";

const root = document.documentElement;
const systemTheme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  const show = () => button.setAttribute("aria-pressed", root.dataset.bsTheme === "dark");
  show();
  new MutationObserver(show).observe(root, { attributeFilter: ["data-bs-theme"] });
  button.addEventListener("click", () => {
    const theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
    root.dataset.bsTheme = theme;
    // A choice equal to the system's is no choice: from then on the page follows the system again.
    if (theme === systemTheme()) localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  });
}

// Screen readers announce an alert when it appears, not when it was there from the start.
const messages = document.getElementById("messages");
messages?.replaceChildren(...messages.children);

// On a narrow screen a row becomes a card, whose lines need the words that head the columns.
const label = () => {
  for (const table of document.querySelectorAll(".card-table")) {
    const words = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    for (const row of table.tBodies[0].rows) {
      for (const cell of row.cells) cell.dataset.label = words[cell.cellIndex];
    }
  }
};
label();
document.addEventListener("htmx:afterSwap", label);

// What a page asks by itself says so: it is no sign that somebody is there, and lets a session end.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.getAttribute("hx-trigger")?.includes("every ")) event.detail.headers["X-By-Itself"] = "1";
});

// What is live stays as it is while nobody sees it, and while the keyboard is in it: its links would be others.
document.addEventListener("htmx:beforeRequest", (event) => {
  const live = event.target.closest("[data-live]");
  if (live && (document.hidden || live.matches(":focus-within"))) event.preventDefault();
});
// Where another page answers, the sign-in, whoever looks shall see it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const asked = new URL(event.detail.pathInfo.finalRequestPath, location.href).pathname;
  if (event.target.closest("[data-live]") && new URL(event.detail.xhr.responseURL).pathname !== asked) {
    event.preventDefault();
    location.reload();
  }
});

// Fields that only concern some are there for those. With an error they are shown to all.
for (const group of document.querySelectorAll("[data-only-if]")) {
  const [name, value] = group.dataset.onlyIf.split("=");
  const field = group.closest("form").elements[name];
  const show = () => {
    group.hidden = field.value !== value && !group.querySelector(".is-invalid");
  };
  show();
  field.addEventListener("change", show);
}

const errors = document.querySelector("[data-error-summary]");
errors?.focus();

// After a sign-in, the way back to the form that it interrupted needs no click.
document.querySelector("form[data-resume]")?.requestSubmit();

// A form that came back with errors, or after a sign-in, holds unsaved work from the start.
let unsaved = (errors ?? document.querySelector("[data-unsaved]"))?.closest("form[data-guard]") != null;
document.addEventListener("input", (event) => {
  if (event.target.closest("form[data-guard]")) unsaved = true;
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-guard]")) unsaved = false;
});
addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});
