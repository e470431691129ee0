// Shortcuts: one table per page, which the help lists as it is.

import { ask, make } from "./dom.js";
import { say } from "./texts.js";

let table = [];

/**
 * Shortcuts of the page that is shown: {keys, act, help?}. `keys` are values of KeyboardEvent.key
 * in lower case; `shown` is what the help calls them; `act` gets the event.
 */
export function setShortcuts(shortcuts) {
  table = shortcuts;
}

const isWriting = (element) =>
  element.isContentEditable || element.tagName === "TEXTAREA" || element.tagName === "SELECT" ||
  (element.tagName === "INPUT" && !["radio", "checkbox", "button"].includes(element.type));

/** Keys that an element under the focus has a use for of its own. */
function belongsTo(element, key) {
  if (element.closest("[data-own-keys]")?.dataset.ownKeys.split(" ").includes(key)) return true;
  if (key === "enter") return element.matches("button, a, summary, input");
  // Space on the button of what is playing would only play it again: there it stops.
  return key === " " && element.matches("button:not([data-playing]), summary, input, a");
}

function onKey(event) {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (document.querySelector("dialog[open]") || isWriting(event.target)) return;
  if (key === "?") return showHelp();
  const shortcut = table.find(({ keys }) => keys.includes(key));
  if (!shortcut || belongsTo(event.target, key)) return;
  event.preventDefault();
  if (event.type === "keydown" && (!event.repeat || shortcut.repeats)) shortcut.act(event);
}

export function listen() {
  document.addEventListener("keydown", onKey);
  // A button under the focus is pressed by Space when the key goes up.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.matches?.("button[data-playing]")) event.preventDefault();
  });
}

export const hasShortcuts = () => table.some(({ help }) => help);

export function showHelp() {
  if (document.querySelector("dialog[open]")) return;
  const rows = [...table.filter(({ help }) => help), { shown: ["?"], help: say("keys.help") }];
  const lines = rows.map(({ shown, help }) => make("tr", {},
    make("td", {}, shown.map((name) => make("kbd", {}, name))),
    make("td", {}, help),
  ));
  const keys = make("table", { class: "keys" }, make("tbody", {}, lines));
  return ask([make("h2", {}, say("help.title")), keys], [[say("help.close"), "close"]]);
}
