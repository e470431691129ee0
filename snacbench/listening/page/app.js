// Begins: what test this is, who listens, and from where they go on.

import { call } from "./api.js";
import { parametersOf } from "./arrival.js";
import { ask, button, make } from "./dom.js";
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

/**
 * Whose session this is: that of a link to go on (`#resume=TOKEN`, which leaves the address); that
 * of whoever the address names, by an invitation or by the first parameter that the test knows, a
 * new one unless it was opened here before; or the one that is held.
 */
function takeSession(app) {
  const { store } = app;
  const hash = new URLSearchParams(location.hash.slice(1)), resume = hash.get("resume");
  const invite = hash.get("invite") ?? new URLSearchParams(location.search).get("invite");
  const [first] = app.test.address_parameters ?? [], who = invite ?? parametersOf(app.test)[first];
  if (resume) goTo(location.pathname + location.search);
  if (resume ? resume !== store.get("token") : who && who !== store.get("who")) {
    store.leave();
    if (who) store.enter(who);
    if (resume) store.set("token", resume);
  }
  app.setSession(store.get("token"), invite ?? store.get("invite"));
}

/** Change the address, and nothing else. */
const goTo = (address) => history.replaceState(history.state, "", address);

function startAnew(app) {
  app.store.forget();
  location.reload();
}

/** Another person comes to this machine; what waits of this one's answers is sent all the same. */
function handOver(app) {
  app.close?.();
  app.leaving = true;
  app.store.leave();
  goTo(location.pathname);  // without the invitation of whoever goes
  location.reload();
}

async function someoneElse(app) {
  const choice = await ask(
    [make("h2", {}, say("other.title")), make("p", {}, say("other.text"))],
    [[say("other.keep"), "keep"], [say("other.yes"), "yes", { class: "main" }]],
  );
  if (choice === "yes") handOver(app);
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
  if (document.title === say("stranger.title")) return;  // its button may be pressed just now
  frame.showEnd(say("stranger.title"), say("stranger.text"),
    button(say("stranger.anew"), () => startAnew(app), { class: "main" }));
}

function onRefused(app, error, { key, token }) {
  const known = error.status === 409 && error.code !== "order";
  if (key.startsWith("finish:")) return;  // the last page asks itself
  if (token !== app.token) {  // of whoever was here before, and may have had all deleted
    if (known || error.status === 401) return;
    return frame.notice(say("refused.title"), say("refused.earlier", { why: error.message }));
  }
  if (error.status === 401) return showStranger(app);
  if (known) app.store.dropDraft(key);
  const text = known ? say("refused.known") : say("refused.other", { why: error.message });
  return frame.notice(say("refused.title"), text).then(() => location.reload());
}

function createApp(test) {
  const store = createStore(test, () => frame.warn(say("store.refused")));
  const app = {
    test, store, session: null, frame, token: null, invite: null,
    sent: new Set(),  // pages that the server took since this visit began, whatever its session says
    /** A token, and the invitation that it was begun with; what another window does changes neither. */
    setSession(token, invite) {
      Object.assign(app, { token, invite });
      store.set("token", token);
      store.set("invite", invite);
      const inAddress = new URLSearchParams(location.search).get("invite");
      const typed = inAddress && inAddress !== invite;
      if (typed) goTo(location.pathname);
      if (typed || (invite && !store.get("who"))) store.set("who", invite);
    },
    /** Of the address under which this session goes on anywhere. */
    get resume() {
      return `#${new URLSearchParams({ resume: app.token, ...(app.invite && { invite: app.invite }) })}`;
    },
    startAnew: () => startAnew(app),
    handOver: () => handOver(app),
    someoneElse: () => someoneElse(app),
    loadSession: () => loadSession(app),
  };
  app.sender = createSender({
    store,
    onState: frame.showSaved,
    onSaved: (key) => {
      app.sent.add(key);
      store.dropDraft(key);
    },
    onRefused: (error, answer) => onRefused(app, error, answer),
  });
  return app;
}

/** The last window that was opened goes on; the others say so and keep quiet. */
function watchOtherWindows(app) {
  const here = () => {
    // Somebody else may have begun in the other window.
    if (app.token && app.token !== app.store.get("token")) goTo(location.pathname + app.resume);
    location.reload();
  };
  app.store.takeOver();
  app.store.onLost(() => {
    app.close?.();
    frame.showSaved("");
    frame.showEnd(say("elsewhere.title"), say("elsewhere.text"),
      button(say("elsewhere.here"), here, { class: "main" }));
  });
}

async function begin() {
  const test = await patiently(() => call("GET", "api/test"), showUnreachable);
  setTexts(test.texts, test.language);
  const app = createApp(test);
  watchOtherWindows(app);
  takeSession(app);
  frame.buildHead({ title: test.title, onPause: () => showPause(app) });
  frame.showProgress(null);
  listen();
  window.addEventListener("beforeunload", (event) => {
    if (!app.leaving && app.store.isOwner && app.sender.pending > 0) event.preventDefault();
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
