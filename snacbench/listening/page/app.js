// Begins: what test this is, who listens, and from where they go on.

import { call } from "./api.js";
import { button, make } from "./dom.js";
import { run } from "./flow.js";
import * as frame from "./frame.js";
import { listen } from "./keyboard.js";
import { showPause } from "./pages/pause.js";
import { createSender } from "./sender.js";
import { createStore } from "./store.js";
import { say, setTexts } from "./texts.js";

const FIRST_WAIT_S = 1, LONGEST_WAIT_S = 15;

/** What `ask` brings, however often it has to be asked; `tell` is called when it fails. */
async function patiently(ask, tell) {
  for (let waitS = FIRST_WAIT_S; ; waitS = Math.min(2 * waitS, LONGEST_WAIT_S)) {
    try {
      return await ask();
    } catch (error) {
      if (!error.passing) throw error;
      tell();
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(waitS, error.retryAfterS)));
    }
  }
}

/** Without the test there are no texts yet: this one stands in the page itself. */
function showUnreachable() {
  const { content } = document.querySelector("#unreachable");
  document.querySelector("#main").replaceChildren(content.cloneNode(true));
}

/** `#resume=TOKEN` goes on with a test that was begun elsewhere; the token leaves the address. */
function takeToken(store) {
  const given = new URLSearchParams(location.hash.slice(1)).get("resume");
  if (!given) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (given !== store.get("token")) store.set("token", given);
}

function startAnew(app) {
  app.store.clear();
  location.reload();
}

async function loadSession(app) {
  if (!app.token) return;
  const ask = () => call("GET", "api/session", { token: app.token });
  const tell = () => frame.show({
    heading: app.test.title, content: [make("p", { role: "alert" }, say("load.waiting"))],
  });
  app.session = await patiently(ask, tell);
}

function showStranger(app) {
  frame.showEnd(say("stranger.title"), say("stranger.text"),
    button(say("stranger.anew"), () => startAnew(app), { class: "main" }));
}

function onRefused(app, error, key) {
  if (error.status === 401) return showStranger(app);
  const known = error.status === 409 && error.code !== "order";
  if (known) app.store.dropDraft(key);
  const text = known ? say("refused.known") : say("refused.other", { why: error.message });
  return frame.notice(say("refused.title"), text).then(() => location.reload());
}

function createApp(test) {
  const store = createStore(test.id);
  const app = {
    test, store, session: null, frame,
    sent: new Set(),  // pages that the server took since this visit began, whatever its session says
    get token() { return store.get("token"); },
    startAnew: () => startAnew(app),
    loadSession: () => loadSession(app),
  };
  app.sender = createSender({
    store,
    onState: frame.showSaved,
    onSaved: (key) => {
      app.sent.add(key);
      store.dropDraft(key);
    },
    onRefused: (error, key) => onRefused(app, error, key),
  });
  return app;
}

/** The last window that was opened goes on; the others say so and keep quiet. */
function watchOtherWindows(app) {
  app.store.takeOver();
  app.store.onLost(() => {
    app.close?.();
    frame.showSaved("");
    frame.showEnd(say("elsewhere.title"), say("elsewhere.text"),
      button(say("elsewhere.here"), () => location.reload(), { class: "main" }));
  });
}

async function begin() {
  const test = await patiently(() => call("GET", "api/test"), showUnreachable);
  setTexts(test.texts, test.language);
  const app = createApp(test);
  watchOtherWindows(app);
  takeToken(app.store);
  frame.buildHead({ title: test.title, onPause: () => showPause(app) });
  frame.showProgress(null);
  listen();
  window.addEventListener("beforeunload", (event) => {
    if (app.store.isOwner && app.sender.pending > 0) event.preventDefault();
  });
  window.addEventListener("hashchange", () => location.reload());
  app.sender.flush();
  try {
    await app.loadSession();
    if (test.full && !app.token) frame.showEnd(say("full.title"), say("full.text"));
    else await run(app);
  } catch (error) {
    if (error.status === 401) showStranger(app);
    else frame.showEnd(say("broken.title"), say("broken.text", { why: error.message }),
      button(say("load.retry"), () => location.reload(), { class: "main" }));
  }
}

begin();
