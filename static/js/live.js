// Parts that update themselves over SSE: whether they still do, and holding them
// still. A feed of rows keeps what came meanwhile; a picture of the whole keeps
// only the latest.
(() => {
  "use strict";
  const states = {
    connecting: ["none", "Connecting"],
    live: ["ok", "Live"],
    lost: ["warn", "Reconnecting"],
    paused: ["info", "Paused"],
  };
  const most = 200; // rows kept while paused
  let paused = false;
  let reading = false; // somebody reads further down, where new rows would push it away
  let state = "connecting";
  const held = new Map(); // element to messages

  const still = () => paused || reading;
  const waiting = () => [...held.values()].reduce((n, messages) => n + messages.length, 0);

  function show() {
    const place = document.getElementById("vv-live");
    if (place) {
      const [tone, word] = states[still() && state === "live" ? "paused" : state];
      place.dataset.tone = tone;
      place.setAttribute("aria-pressed", paused);
      place.querySelector(".vv-live-word").textContent = word;
    }
    for (const button of document.querySelectorAll("[data-pause]")) {
      button.setAttribute("aria-pressed", paused);
      const use = button.querySelector("use");
      use?.setAttribute("href", use.getAttribute("href").replace(/#.*/, paused ? "#play" : "#pause"));
      const n = waiting();
      button.querySelector("[data-pause-word]").textContent = paused ? (n ? `Resume, ${n} new` : "Resume") : n ? `Pause, ${n} new above` : "Pause";
    }
  }

  const enter = (next) => {
    if (state === next) return;
    if (next === "lost") vv.say("Live updates are interrupted.");
    if (state === "lost" && next === "live") vv.say("Live updates are back.");
    state = next;
    show();
  };

  const deliver = async (element, text) => {
    await htmx.swap({
      text, sourceElement: element, target: element.getAttribute("hx-target") ?? element,
      swap: `${element.getAttribute("hx-swap")} swapEmpty:false`,
    });
    trim();
  };

  const trim = () => {
    for (const list of document.querySelectorAll("[data-most]")) {
      while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
    }
  };

  document.addEventListener("click", async (event) => {
    if (!event.target.closest("[data-pause], #vv-live")) return;
    paused = !paused;
    vv.say(paused ? "Live updates are paused." : "Live updates go on.");
    await catchUp();
    show();
  });

  const catchUp = async () => {
    if (still()) return;
    const messages = [...held];
    held.clear();
    for (const [element, texts] of messages) for (const text of texts) await deliver(element, text);
  };

  addEventListener("scroll", async () => {
    const now = scrollY > 240 && document.querySelector("[data-feeds]") !== null;
    if (now === reading) return;
    reading = now;
    await catchUp();
    show();
  }, { passive: true });

  const isLive = (event) => event.target.matches?.("[data-live]");

  document.addEventListener("htmx:sse:before:message", (event) => {
    if (!(paused || reading && event.target.dataset?.feeds) || !isLive(event) || event.detail.message.event) return;
    event.preventDefault();
    const before = event.target.dataset.feeds ? (held.get(event.target) ?? []) : [];
    held.set(event.target, [...before, event.detail.message.data].slice(-most));
    show();
  });
  document.addEventListener("htmx:sse:after:message", trim);

  // The first connection is ours to try again; later ones are the extension's.
  const retry = (element) => {
    enter("lost");
    setTimeout(() => {
      if (element.isConnected) htmx.ajax("GET", element.getAttribute("hx-sse:connect"), { source: element });
    }, 5000);
  };

  document.addEventListener("htmx:sse:after:connection", (event) => isLive(event) && enter("live"));
  document.addEventListener("htmx:sse:before:connection", (event) => isLive(event) && event.detail.connection.attempt > 0 && enter("lost"));
  document.addEventListener("htmx:sse:error", (event) => {
    if (!isLive(event)) return;
    if (event.detail.status === 401) location.reload(); // the session is over
    enter("lost");
  });
  document.addEventListener("htmx:error", (event) => {
    if (isLive(event) && !event.detail.ctx?.response) retry(event.target);
  });
  document.addEventListener("htmx:response:error", (event) => isLive(event) && retry(event.target));
  addEventListener("DOMContentLoaded", show);
})();
