"use strict";
/* Long work of the page: <section data-job="ID" data-then="URL">. It is looked after until it is over, then the page goes on. */
(function () {
  const EVERY_MS = 700;

  function show(box, told) {
    const text = box.querySelector("[data-job-text]");
    const what = box.querySelector("[data-job-what]");
    const bar = box.querySelector("progress");
    if (text && text.textContent !== told.text) text.textContent = told.text;
    if (what) what.textContent = told.what;
    if (bar && told.total > 0) {
      bar.max = told.total;
      bar.value = told.done;
    }
    document.dispatchEvent(new CustomEvent("job-told", {detail: told}));
  }

  function follow(box) {
    let misses = 0;
    let timer = 0;

    function over() {
      clearTimeout(timer);
      location.assign(box.dataset.then);
    }

    async function look() {
      if (document.hidden || window.lineclear.isLocked()) {
        timer = setTimeout(look, EVERY_MS);
        return;
      }
      try {
        const told = await window.lineclear.get("/jobs/" + encodeURIComponent(box.dataset.job), {background: true});
        misses = 0;
        show(box, told);
        if (told.over) { over(); return; }
      } catch (error) {
        if (error.status === 404) { over(); return; }
        if (error.status === 401) { timer = setTimeout(look, EVERY_MS * 4); return; }
        misses += 1;
        if (misses === 3) window.lineclear.tell(error);
      }
      timer = setTimeout(look, EVERY_MS * Math.min(1 + misses, 8));
    }

    const form = box.querySelector(".job-cancel");
    if (form) {
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        form.querySelector("button").disabled = true;
        try {
          await window.lineclear.post(form.action, new URLSearchParams());
        } catch (error) {
          window.lineclear.tell(error);
        }
      });
    }
    timer = setTimeout(look, EVERY_MS / 2);
  }

  for (const box of document.querySelectorAll("[data-job]")) follow(box);
})();
