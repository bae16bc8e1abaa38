/* The list of results: a picture that cannot be shown says so, and a filter is sent without its empty fields. */
"use strict";
(() => {
  for (const image of document.querySelectorAll("img.thumb")) {
    const broken = () => {
      const none = document.createElement("span");
      none.className = "thumb none";
      none.textContent = "–";
      image.replaceWith(none);
    };
    if (image.complete && image.naturalWidth === 0 && image.currentSrc) {
      broken();
    } else {
      image.addEventListener("error", broken, { once: true });
    }
  }
  const form = document.querySelector("form.filter");
  if (form) {
    // A short address is a bookmark that people can read.
    form.addEventListener("submit", () => {
      for (const field of form.elements) {
        if (field.name && !field.value) {
          field.disabled = true;
        }
      }
    });
    const again = () => {
      for (const field of form.elements) {
        field.disabled = false;
      }
    };
    window.addEventListener("pageshow", again);
  }
})();
