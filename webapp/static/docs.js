// Draws the documentation of the API from its description.

// Swagger UI has a dark theme of its own, for which it looks here.
const root = document.documentElement;
const follow = () => root.classList.toggle("dark-mode", root.dataset.bsTheme === "dark");
follow();
new MutationObserver(follow).observe(root, { attributeFilter: ["data-bs-theme"] });

const place = document.getElementById("swagger");

window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.description,
  docExpansion: "none",
  deepLinking: true,
  validatorUrl: null, // It would be asked over the Internet.
  persistAuthorization: false,
});
