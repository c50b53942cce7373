// The log, live: each line that comes as an event is put on top, in the form that the page brought along (#line). Lines
// have consecutive numbers: where one is missing, because too many came at once or nobody listened, the server is asked
// for the list anew. As many lines as MOST are kept, however long the page is open.
"use strict";

(() => {
  const MOST = 300;
  const ASK_EVERY_MS = 2000;
  const RANKS = { debug: 10, info: 20, warning: 30, error: 40, critical: 50 };
  const form = document.getElementById("line");
  const button = document.getElementById("pause");
  const live = document.getElementById("live");
  if (!form || !button) return; // older lines are no longer news

  const words = { said: live.textContent, pause: button.textContent };
  let isPaused = false;
  let unseen = 0;
  let asking = 0;

  const list = () => document.getElementById("lines");
  const isWanted = (line, { level, sceneId }) =>
    (!level || RANKS[line.level] >= RANKS[level]) && (!sceneId || String(line.scene_id) === sceneId);

  function element(line) {
    const made = form.content.firstElementChild.cloneNode(true);
    // As the server's clock shows it, like the lines that came with the page.
    const shown = new Date((line.at + Number(list().dataset.utcOffsetS)) * 1000).toISOString();
    made.classList.add(line.level);
    const time = made.querySelector("time");
    time.dateTime = new Date(line.at * 1000).toISOString();
    time.title = shown.slice(0, 19).replace("T", " ");
    time.textContent = shown.slice(11, 19);
    made.querySelector(".level").textContent = line.level;
    made.querySelector(".words").textContent = line.message;
    const about = made.querySelector(".about");
    if (line.scene_id != null) {
      about.href += line.scene_id;
      about.textContent += line.scene_id;
      about.hidden = false;
    }
    if (line.traceback) {
      made.querySelector("details").hidden = false;
      made.querySelector("pre").textContent = line.traceback;
    }
    return made;
  }

  function askAnew() {
    if (asking) return;
    asking = setTimeout(() => {
      asking = 0;
      if (!isPaused) htmx.trigger(document.body, "log-behind");
    }, ASK_EVERY_MS);
  }

  function take(line) {
    const lines = list();
    const newest = Number(lines.dataset.newest);
    if (line.number <= newest) return;
    if (line.number > newest + 1) askAnew();
    lines.dataset.newest = line.number;
    if (!isWanted(line, lines.dataset)) return;
    lines.prepend(element(line));
    while (lines.children.length > MOST) lines.lastElementChild.remove();
  }

  document.body.addEventListener("scenesync:event", ({ detail: { kind, data } }) => {
    if (kind !== "log") return;
    if (!isPaused) take(data);
    else if (isWanted(data, list().dataset)) button.textContent = `Go on (${++unseen} new)`;
  });

  button.addEventListener("click", () => {
    isPaused = !isPaused;
    unseen = 0;
    button.textContent = isPaused ? "Go on" : words.pause;
    live.textContent = isPaused ? "Paused: the list stays as it is." : words.said;
    if (!isPaused) htmx.trigger(document.body, "log-behind");
  });

  document.addEventListener("visibilitychange", () => { if (!document.hidden) askAnew(); });
})();
