"use strict";
/* Trying masks on known bad frames, and saving them: never over somebody else's version, never silently over a known defect. */
var MaskSaving = (function () {
  function create(root, model, server, words, state, page) {
    const find = (name) => root.querySelector("[data-part=" + name + "]");
    const dialog = find("save-dialog");
    const tried = { content: null, job: "", hidden: 0, failed: "" };

    function enabled() {
      return JSON.stringify([state.version, model.plain().filter((mask) => mask.enabled)]);
    }

    function make(name, attributes, children) {
      return MaskList.make(name, attributes, children);
    }

    function frameRow(frame) {
      const is = frame.hidden ? "is-hidden" : "is-found";
      const row = make("li", { class: "tried " + is }, [
        make("strong", { text: words(frame.hidden ? "frame_hidden" : "frame_found", {}) }),
        make("span", { class: "tried-name", text: frame.name + (frame.note ? " – " + frame.note : "") }),
        make("span", { text: frame.text })
      ]);
      if (frame.boxes.length) {
        const show = make("button", { type: "button", class: "button mask-small", text: words("show_place", {}) });
        show.addEventListener("click", function () {
          dialog.close();
          page.marks(frame.boxes);
        });
        row.appendChild(show);
      }
      return row;
    }

    function showTrial(told) {
      const lines = told.frames.map(frameRow);
      const notes = told.unusable.map((line) => make("li", { class: "tried is-note", text: line }));
      root.querySelectorAll("[data-part=tried], [data-part=save-tried]").forEach(function (place) {
        place.replaceChildren(...lines.map((line, index) => (place.dataset.part === "tried" ? line : frameRow(told.frames[index]))));
        notes.forEach((note) => place.appendChild(note.cloneNode(true)));
      });
      root.querySelectorAll("[data-part=verdict], [data-part=save-verdict]").forEach(function (place) {
        place.textContent = told.text;
        place.classList.toggle("is-bad", told.hidden > 0);
      });
    }

    function progress(text) {
      root.querySelectorAll("[data-part=verdict], [data-part=save-verdict]").forEach(function (place) {
        place.textContent = text;
        place.classList.remove("is-bad");
      });
    }

    /* Try the masks as they are now; nothing is asked twice. */
    function check() {
      const content = enabled();
      if (tried.content === content && !tried.failed) {
        return Promise.resolve();
      }
      Object.assign(tried, { content: content, job: "", hidden: 0, failed: "" });
      find("tried").replaceChildren();
      find("save-tried").replaceChildren();
      page.marks([]);
      progress(words("checking", { done: 0, total: "…" }));
      return server
        .post("/check", { version: state.version, masks: model.plain() })
        .then((started) =>
          server.follow(started.job, (job) => progress(words("checking", { done: job.done, total: job.total || "…" }))).then(function (job) {
            if (tried.content === content) {
              Object.assign(tried, { job: started.job, hidden: job.check.hidden });
              showTrial(job.check);
            }
          })
        )
        .catch(function (error) {
          Object.assign(tried, { failed: error.message });
          progress(words("check_failed", { why: error.message }));
        });
    }

    function mustConfirm() {
      return tried.hidden > 0 || tried.failed !== "";
    }

    function showConfirm() {
      const must = mustConfirm();
      find("confirm-part").hidden = !must;
      find("confirm-text").required = must;
      find("confirm-tick").required = must;
      find("save-now").disabled = false;
      find("save-now").classList.toggle("danger", must);
    }

    function openDialog() {
      find("save-fault").textContent = "";
      find("save-stale").hidden = !state.stale;
      find("save-fresh").hidden = state.stale;
      find("confirm-part").hidden = true;
      find("confirm-tick").checked = false;
      find("confirm-tick").required = false;
      find("confirm-text").required = false;
      find("conflict").hidden = true;
      find("save-now").disabled = true;
      dialog.showModal();
      check().then(showConfirm);
    }

    function save(event) {
      event.preventDefault();
      const sent = model.plain();
      const order = {
        version: state.version,
        masks: sent,
        why: find("why").value,
        check: tried.job,
        confirm: mustConfirm() && find("confirm-tick").checked ? find("confirm-text").value.trim() : ""
      };
      find("save-now").disabled = true;
      find("save-fault").textContent = words("saving", {});
      server.post("/save", order).then(saved, refused);
    }

    function saved(told) {
      state.version = told.version;
      tried.content = null;
      dialog.close();
      find("why").value = "";
      find("confirm-text").value = "";
      model.load(told.masks, false);
      find("version").textContent = told.version_text;
      const done = find("done");
      done.hidden = false;
      done.classList.toggle("ok", told.reload.done);
      done.classList.toggle("warning", !told.reload.done);
      find("done-text").textContent = told.text;
      find("done-reload").textContent = told.reload.text;
      find("done-reload").classList.toggle("is-bad", !told.reload.done);
      find("done-next").hidden = !told.stale;
      done.focus();
      page.say("");
    }

    function refused(error) {
      find("save-now").disabled = false;
      find("save-fault").textContent = error.message;
      const told = error.told || {};
      if (error.status === 409 && told.current) {
        find("conflict").hidden = false;
        find("conflict").dataset.version = String(told.current.version);
        find("save-now").disabled = true;
      } else if (error.status === 409 && told.confirm) {
        tried.failed = tried.failed || error.message;
        showConfirm();
      }
    }

    /* Theirs on the page, mine one step back. */
    find("take-theirs").addEventListener("click", function () {
      dialog.close();
      page.reload(true).then(() => page.say(words("theirs_taken", {})), (error) => page.say(error.message, true));
    });
    /* Mine stay, and go on top of theirs. */
    find("keep-mine").addEventListener("click", function () {
      state.version = Number(find("conflict").dataset.version);
      dialog.close();
      page.say(words("mine_kept", {}));
      model.unsaved();
    });
    find("check").addEventListener("click", () => check());
    find("save").addEventListener("click", openDialog);
    find("save-cancel").addEventListener("click", () => dialog.close());
    find("save-form").addEventListener("submit", save);

    /* What was drawn and not saved, before the page was left. */
    function offer(kept) {
      const place = find("kept");
      place.hidden = false;
      find("kept-take").addEventListener("click", function () {
        place.hidden = true;
        state.version = Number(kept.version) || state.version; /* what was saved since is not overwritten unseen */
        model.change(function () {
          model.masks = kept.masks.map((mask, index) => Object.assign({ id: -1 - index }, mask));
        });
      });
      find("kept-drop").addEventListener("click", function () {
        place.hidden = true;
        model.saved();
      });
    }

    return { offer: offer };
  }

  return { create: create };
})();
