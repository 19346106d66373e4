// Draws the documentation of the API from its description.

const place = document.getElementById("swagger");

window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.description,
  docExpansion: "none",
  deepLinking: true,
  validatorUrl: null, // It would be asked over the Internet.
  persistAuthorization: false,
});
