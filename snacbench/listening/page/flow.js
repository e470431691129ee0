// The way of a listener through the test, from wherever they were.

import { loadAhead } from "./audio/load.js";
import { consent } from "./pages/consent.js";
import { headphones } from "./pages/headphones.js";
import { level } from "./pages/level.js";
import { questionnaire } from "./pages/questionnaire.js";
import { rate } from "./pages/rating.js";
import { finish } from "./pages/thanks.js";
import { returning, welcome } from "./pages/welcome.js";
import { say } from "./texts.js";

const AWAY_MS = 30 * 60_000;  // who comes after that may be somebody else

export async function run(app) {
  if (openPages(app).length > 0 || !app.session) {
    const seen = app.store.get("seen");
    if (app.session && seen && Date.now() - seen > AWAY_MS) await returning(app);
    await prepare(app);
    await answerPages(app);
  }
  app.frame.allowPause(false);
  await finish(app);
}

/** Pages without an answer: neither at the server, nor on its way there. */
function openPages({ session, store, sent }) {
  const queued = new Set(store.queue.map(({ key }) => key));
  const isOpen = ({ key, submitted }) => !submitted && !queued.has(key) && !sent.has(key);
  return (session?.pages ?? []).filter(isOpen);
}

/** The machine's sound is checked with each listener: headphones and volumes are theirs. */
async function prepare(app) {
  const { store, frame } = app;
  if (!store.get("welcomed")) {
    await welcome(app);
    store.set("welcomed", true);
  }
  if (!store.get("level")) {
    await level(app);
    store.set("level", true);
  }
  if (!store.get("headphones")) store.set("headphones", await headphones(app));
  if (!app.session?.consented) await consent(app);
  frame.allowPause(true);
  if (!app.session.answered && app.test.questionnaire.length > 0) await questionnaire(app);
}

async function answerPages(app) {
  const total = app.session.pages.length;
  for (let open = openPages(app); open.length > 0; open = openPages(app)) {
    const page = open[0];
    app.frame.showProgress((total - open.length) / total);
    const meanwhile = () => open[1] && loadAhead(keysOf(open[1]), app);
    const body = await rate(app, { ...page, keys: keysOf(page), place: placeOf(app, page) }, meanwhile);
    app.sender.add({ key: page.key, token: app.token, body });
    page.submitted = true;
  }
  app.frame.showProgress(1);
}

/** The open reference, where there is one, before the signals that are judged. */
const keysOf = ({ reference, stimuli }) => [...(reference ? [reference] : []), ...stimuli];

function placeOf({ session }, page) {
  const alike = session.pages.filter(({ training }) => training === page.training);
  const values = { n: alike.indexOf(page) + 1, of: alike.length };
  return say(page.training ? "head.practice" : "head.page", values);
}
