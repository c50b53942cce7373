// What every page does: listen to the server's events while it is looked at, and say what went wrong.
//
// Texts marked data-status="a.b" show that value of the state. Parts that the server renders ask for themselves anew by
// hx-trigger="live:KIND from:body": half a second after something has happened, but at most every five seconds (a task,
// which somebody waits for: every second), and only on a page that can be seen. A page about one scene (data-scene) hears
// live:scene of what is about that one alone.
"use strict";

(() => {
  const SOON_MS = 500;
  const PART_EVERY_MS = 5000;
  const TASK_EVERY_MS = 1000;
  const body = document.body;
  const kinds = (body.dataset.kinds || "").split(" ").filter(Boolean);
  const waiting = new Map();
  const announced = new Map();
  let source = null;
  let messageTimer = 0;

  const grouped = (number) => String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, "\u202f");

  function show(status) {
    for (const element of document.querySelectorAll("[data-status]")) {
      const value = element.dataset.status.split(".").reduce((part, key) => (part == null ? part : part[key]), status);
      const text = typeof value === "number" ? grouped(value) : value == null ? "0" : String(value);
      if (element.textContent !== text) element.textContent = text;
    }
  }

  function announce(kind) {
    if (waiting.has(kind)) return;
    const every = kind === "task" ? TASK_EVERY_MS : PART_EVERY_MS;
    const left = announced.has(kind) ? announced.get(kind) + every - performance.now() : 0;
    waiting.set(kind, setTimeout(() => {
      waiting.delete(kind);
      // The first one is only the state that every listener begins with.
      announced.set(kind, announced.has(kind) ? performance.now() : -Infinity);
      if (!document.hidden) htmx.trigger(body, `live:${kind}`);
    }, Math.max(SOON_MS, left)));
  }

  function listen() {
    if (source || !kinds.length) return;
    const asked = kinds.map((kind) => `kinds=${encodeURIComponent(kind)}`);
    const query = [...asked, ...(body.dataset.scene ? [`scene_id=${body.dataset.scene}`] : [])].join("&");
    source = new EventSource(`${body.dataset.base}/api/v1/events?${query}`);
    for (const kind of kinds) {
      source.addEventListener(kind, (event) => {
        const data = JSON.parse(event.data);
        if (kind === "status" && Object.keys(data).length) show(data);
        body.dispatchEvent(new CustomEvent("scenesync:event", { detail: { kind, data } }));
        announce(kind);
        if (body.dataset.scene && String(data.scene_id) === body.dataset.scene) announce("scene");
      });
    }
  }

  function stopListening() {
    if (source) source.close();
    source = null;
  }

  function tell(text) {
    const message = document.getElementById("message");
    message.textContent = text;
    message.hidden = false;
    clearTimeout(messageTimer);
    messageTimer = setTimeout(() => { message.hidden = true; }, 10000);
  }

  body.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    if (answer.status === 401) {
      location.assign(`${body.dataset.base}/login?next=${encodeURIComponent(location.pathname.slice(body.dataset.base.length) + location.search)}`);
      return;
    }
    let problem = {};
    try { problem = JSON.parse(answer.responseText); } catch { /* no problem document: its status must do */ }
    tell([problem.detail || problem.title || `The server answered ${answer.status}.`, ...(problem.errors || [])].join(" "));
  });
  body.addEventListener("htmx:sendError", () => tell("SceneSync does not answer. Is it running?"));

  document.addEventListener("visibilitychange", () => (document.hidden ? stopListening() : listen()));
  addEventListener("pagehide", stopListening);
  addEventListener("pageshow", listen);
  // On a narrow screen the pages are one line that can be pushed aside: begin where we are.
  const here = document.querySelector(".top li a[aria-current]");
  if (here) here.scrollIntoView({ block: "nearest", inline: "center" });
})();
