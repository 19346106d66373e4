// Lists: all rows of a page can be ticked at once, and an address names only the filters that are set.

for (const all of document.querySelectorAll("[data-select-all]")) {
  const boxes = [...all.closest("table").tBodies[0].querySelectorAll('[name="id"]')];
  const show = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && !all.checked;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
  });
  for (const box of boxes) box.addEventListener("change", show);
  show(); // A browser that goes back to the page ticks what was ticked.
}

for (const form of document.querySelectorAll("form.search")) {
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
  });
}
