"use strict";
// Server-sent events with a watchdog: whoever shows something live is told when it no longer is.
// lineclearLive(url, {parts(data), lost(since), back(), ended()}): each is optional. Returns {at()}: the server's time now, in ms.
window.lineclearLive = (url, told) => {
  const PATIENCE_MS = 12000; // the server speaks every 4 s
  const RETRY_MS = 4000;
  let source = null;
  let heard = performance.now();
  let offset = 0;
  let isLost = false;
  let isOver = false;

  const call = (name, value) => { if (told[name]) { told[name](value); } };
  const lose = () => {
    if (!isLost && !isOver) { isLost = true; call("lost", new Date(Date.now() + offset - (performance.now() - heard))); }
  };
  const hear = (event) => {
    heard = performance.now();
    const data = JSON.parse(event.data);
    offset = Date.parse(data.at) - Date.now();
    if (isLost) { isLost = false; call("back"); }
    return data;
  };
  const end = () => { isOver = true; if (source) { source.close(); } call("ended"); };
  const open = () => {
    if (source) { source.close(); }
    source = new EventSource(url);
    source.addEventListener("parts", (event) => call("parts", hear(event)));
    source.addEventListener("beat", hear);
    source.addEventListener("ended", end);
    source.addEventListener("error", lose);
  };
  // A stream that was refused for good (401, 429, a server that ends) is not tried again by the browser.
  const look = () => {
    if (isOver) { return; }
    if (performance.now() - heard > PATIENCE_MS) { lose(); }
    if (isLost && source.readyState === EventSource.CLOSED) {
      fetch("/station/live", { headers: { Accept: "application/json", "X-Lineclear-Background": "1" }, redirect: "manual", cache: "no-store" })
        .then((answer) => { if (answer.status === 401) { end(); } else if (answer.ok) { open(); } }, () => undefined);
    }
  };
  open();
  setInterval(look, RETRY_MS);
  // A device that slept shows what it showed before: look at once when it wakes.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { look(); } });
  document.addEventListener("lineclear:unlocked", () => { if (isOver) { isOver = false; isLost = true; open(); } });
  window.addEventListener("pageshow", (event) => { if (event.persisted) { lose(); open(); } });
  return { at: () => Date.now() + offset };
};
