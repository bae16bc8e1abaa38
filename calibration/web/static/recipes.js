"use strict";
// While a form's answer takes long, say what is done meanwhile. Everything works without this.
(() => {
  for (const form of document.querySelectorAll("form[data-busy]")) {
    form.addEventListener("submit", () => {
      const line = document.createElement("p");
      line.className = "busy";
      line.setAttribute("role", "status");
      const wheel = document.createElement("span");
      wheel.className = "spinner";
      const text = document.createElement("span");
      text.textContent = form.dataset.busy;
      line.append(wheel, text);
      form.append(line);
    });
  }
})();
