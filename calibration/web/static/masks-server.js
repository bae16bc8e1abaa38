"use strict";
/* What the masks page asks the server, and how its refusals are read. */
var MaskServer = (function () {
  const EVERY_MS = 400;

  function create(base, csrf, words) {
    function failed(status, told) {
      const error = new Error([told.error, told.what_to_do].filter(Boolean).join("\n") || words("no_answer", {}));
      error.status = status;
      error.told = told;
      return error;
    }

    function ask(path, options) {
      const headers = { Accept: "application/json", "X-CSRF-Token": csrf };
      Object.assign(headers, options.headers || {});
      const sent = Object.assign({ credentials: "same-origin" }, options, { headers: headers });
      return fetch(base + path, sent).then(
        (response) =>
          response.json().then(
            function (told) {
              if (!response.ok) {
                throw failed(response.status, told);
              }
              return told;
            },
            function () {
              throw failed(response.status, {});
            }
          ),
        function (error) {
          throw error.name === "AbortError" ? error : failed(0, { error: words("no_answer", {}) });
        }
      );
    }

    function post(path, body, signal) {
      return ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal: signal });
    }

    function get(path) {
      return ask(path, { method: "GET" });
    }

    /* A picture as a URL of this page; the caller gives it back. */
    function picture(path) {
      return fetch(base + path, { credentials: "same-origin", headers: { Accept: "image/png" } }).then(function (response) {
        if (!response.ok) {
          throw failed(response.status, {});
        }
        return response.blob().then((blob) => URL.createObjectURL(blob));
      });
    }

    /* Waits until a job is over; told: hears how far it is. */
    function follow(id, told) {
      return ask("/check/" + encodeURIComponent(id), { method: "GET", headers: { "X-Lineclear-Background": "1" } }).then(function (job) {
        told(job);
        if (job.state === "waiting" || job.state === "running") {
          return new Promise((done) => setTimeout(done, EVERY_MS)).then(() => follow(id, told));
        }
        if (job.state !== "done") {
          throw failed(409, { error: job.error || words("stopped", {}), what_to_do: job.what_to_do });
        }
        return job;
      });
    }

    return { follow: follow, get: get, picture: picture, post: post, send: (path, form) => ask(path, { method: "POST", body: form }) };
  }

  return { create: create };
})();
