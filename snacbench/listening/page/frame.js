// What stands around every page: title, progress, whether all is saved, help, and a way to pause.

import { ask, button, make } from "./dom.js";
import { hasShortcuts, setShortcuts, showHelp } from "./keyboard.js";
import { say } from "./texts.js";

const head = document.querySelector("#head");
const main = document.querySelector("#main");
const announcer = document.querySelector("#announcer");
const parts = {};

export function buildHead({ title, onPause }) {
  parts.progress = make("progress", { max: "1", value: "0", "aria-label": say("head.progress") });
  parts.saved = make("span", { class: "saved", role: "status" });
  parts.pause = button(say("head.pause"), onPause, { class: "quiet", hidden: true });
  parts.help = button("?", showHelp, {
    class: "quiet help", "aria-label": say("head.help"), title: say("head.help"), hidden: true,
  });
  head.append(
    make("p", { class: "title" }, title),
    make("div", { class: "far" }, parts.saved, parts.progress, parts.pause, parts.help),
  );
  head.hidden = false;
}

/** Show a page: its heading gets the focus, so that a screen reader begins there. */
export function show({ heading, task = null, content, shortcuts = [], kind = "plain" }) {
  const title = make("h1", { tabindex: "-1" }, heading);
  const question = task && make("p", { class: "task" }, task);
  const opening = task ? make("div", { class: "opening" }, title, question) : title;
  setShortcuts(shortcuts);
  if (parts.help) parts.help.hidden = !hasShortcuts();
  main.className = kind;
  main.replaceChildren(opening, ...content);
  document.title = heading;
  window.scrollTo(0, 0);
  title.focus({ preventScroll: true });
}

/** From 0 to 1; null where there is none yet. */
export function showProgress(share) {
  parts.progress.value = share ?? 0;
  parts.progress.hidden = share === null;
}

/** A sentence that stays above every page from now on. */
export function warn(text) {
  const warning = document.querySelector("#warning");
  warning.textContent = text;
  warning.hidden = false;
}

/** "saved", "saving", "waiting", or "" for nothing to say. */
export function showSaved(state) {
  parts.saved.dataset.state = state;
  parts.saved.textContent = state && say(`saved.${state}`);
}

export const allowPause = (allowed) => { parts.pause.hidden = !allowed; };

/** Tell a screen reader, and return the words; the same ones twice are said twice. */
export function announce(text) {
  announcer.textContent = announcer.textContent === text ? `${text}\u00a0` : text;
  return text;
}

export const notice = (heading, text) =>
  ask([make("h2", {}, heading), make("p", {}, text)], [[say("notice.close"), "close", { class: "main" }]]);

/** Nothing goes on from here: the promise of the page that was shown is never kept. */
export function showEnd(heading, text, ...more) {
  allowPause(false);
  show({ heading, content: [make("p", { role: "alert" }, text), ...more], kind: "plain" });
}
