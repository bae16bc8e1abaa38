"use strict";
/* Regions of a VIA file: shown first, and taken where a person ticks them. */
var MaskImport = (function () {
  function create(root, model, server, words, say) {
    const find = (name) => root.querySelector("[data-part=" + name + "]");
    const dialog = find("import-dialog");
    const chooser = find("import-file");
    let images = [];

    function show(told) {
      images = told.images;
      const select = find("import-image");
      select.replaceChildren(
        ...images.map((image, index) => MaskList.make("option", { value: String(index), text: image.image + " (" + image.masks.length + ")" }))
      );
      find("import-problems").replaceChildren(...told.problems.map((line) => MaskList.make("li", { text: line })));
      showImage();
      dialog.showModal();
    }

    function showImage() {
      const image = images[Number(find("import-image").value) || 0];
      const rows = image.masks.map(function (mask, index) {
        const box = MaskList.make("input", { type: "checkbox", checked: true, value: String(index) });
        const text = words("import_row", { name: mask.name, corners: mask.points.length });
        const shape = preview(mask.points);
        return MaskList.make("li", {}, [MaskList.make("label", {}, [box, shape, MaskList.make("span", { text: text })])]);
      });
      find("import-masks").replaceChildren(...rows);
      find("import-notes").replaceChildren(...image.problems.map((line) => MaskList.make("li", { text: line })));
      find("import-take").disabled = rows.length === 0;
    }

    /* The mask as it would lie on the reference. */
    function preview(points) {
      const NS = "http://www.w3.org/2000/svg";
      const svg = document.createElementNS(NS, "svg");
      const width = 64;
      const height = Math.round((width * model.size[1]) / model.size[0]);
      svg.setAttribute("viewBox", "0 0 " + width + " " + height);
      svg.setAttribute("class", "import-preview");
      svg.setAttribute("aria-hidden", "true");
      const shape = document.createElementNS(NS, "polygon");
      shape.setAttribute("points", points.map((p) => p[0] * width + "," + p[1] * height).join(" "));
      svg.appendChild(shape);
      return svg;
    }

    chooser.addEventListener("change", function () {
      if (!chooser.files.length) {
        return;
      }
      const form = new FormData();
      form.append("file", chooser.files[0]);
      chooser.value = "";
      say(words("import_reading", {}));
      server.send("/import", form).then(
        function (told) {
          say("");
          show(told);
        },
        (error) => say(error.message, true)
      );
    });
    find("import").addEventListener("click", () => chooser.click());
    find("import-image").addEventListener("change", showImage);
    find("import-cancel").addEventListener("click", () => dialog.close());
    find("import-take").addEventListener("click", function () {
      const image = images[Number(find("import-image").value) || 0];
      const ticked = Array.from(find("import-masks").querySelectorAll("input:checked")).map((box) => image.masks[Number(box.value)]);
      dialog.close();
      if (ticked.length) {
        say(words("import_done", { count: model.addAll(ticked) }));
      }
    });
  }

  return { create: create };
})();
