// The headphone check. It never bars the way: its result is recorded with the answers.

import { headphoneTrials, trialSound } from "../audio/checks.js";
import { discard, liveContext, watch } from "../audio/device.js";
import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";
import { hearsNothing, Trouble } from "./trouble.js";

// As in Woods et al. (audio/checks.js): who guesses passes an attempt in (6 * 2 + 1) / 3^6 = 1.8 %.
// It ends as soon as that is decided, which changes nothing about it.
const TRIALS = 6, ENOUGH = 5, ATTEMPTS = 2, NEXT_MS = 600;

/** Resolves to {passed, right: [right answers of each attempt], of: rounds of the last one}. */
export async function headphones(app) {
  const right = [];
  let of = 0;
  while (right.length < ATTEMPTS) {
    if (right.length > 0) await again(app);
    const attempted = await attempt(app);
    right.push(attempted.right);
    of = attempted.rounds;
    if (right.at(-1) >= ENOUGH) break;
  }
  const passed = right.at(-1) >= ENOUGH;
  if (!passed) await message(app, "headphones.failed", "headphones.anyway");
  return { passed, right, of };
}

const again = (app) => message(app, "headphones.retry", "headphones.again");

const message = (app, text, label) => new Promise((resolve) => app.frame.show({
  heading: say("headphones.title"),
  content: [...paragraphs(say(text)),
    make("p", { class: "buttons" }, button(say(label), resolve, { class: "main" }))],
}));

async function attempt(app) {
  let right = 0, wrong = 0;
  for (const [number, order] of headphoneTrials(TRIALS).entries()) {
    if (right === ENOUGH || wrong > TRIALS - ENOUGH) break;
    if (order[await trial(app, number, order)] === "quiet") right++;
    else wrong++;
  }
  return { right, rounds: right + wrong };
}

/** One trial, heard once: resolves to the place of the tone that seemed the softest. */
async function trial(app, number, order) {
  for (let place = null; ; await hearsNothing(app)) {
    place = await askTrial(app, number, order);
    if (place !== null) return place;
  }
}

/** Resolves to the place, null where the listener hears nothing. */
function askTrial(app, number, order) {
  return new Promise((resolve) => {
    const leave = (place) => () => {
      app.close?.();
      app.close = null;
      resolve(place);
    };
    const answers = order.map((_, place) => button(say("headphones.tone", { n: place + 1 }), leave(place), {
      class: "tone", disabled: true,
    }));
    const trouble = new Trouble();
    const start = () => {
      if (play.disabled) return;
      play.disabled = true;
      trouble.clear();
      playTrial(app, order, answers).catch((error) => {
        play.disabled = false;
        discard();
        trouble.show(error, start);
      });
    };
    const play = button(say("headphones.play"), start, { class: "sound" });
    const silent = button(say("silent.button"), leave(null), { class: "quiet" });
    const number3 = (event) => answers[Number(event.key) - 1].click();
    app.frame.show({
      heading: say("headphones.title"),
      content: [...paragraphs(say("headphones.text")),
        make("p", { class: "soft" }, say("headphones.count", { n: number + 1, of: TRIALS })),
        make("p", { class: "stage" }, play), trouble.element,
        make("div", { class: "tones", role: "group", "aria-label": say("headphones.which") }, answers),
        make("p", { class: "buttons" }, silent)],
      shortcuts: [{ keys: [" "], act: start }, { keys: ["1", "2", "3"], act: number3 }],
    });
    if (number > 0) setTimeout(() => play.isConnected && start(), NEXT_MS);
  });
}

/** Plays a trial, shows which tone sounds, then lets answer; rejects where it does not sound. */
async function playTrial(app, order, answers) {
  const context = await liveContext(app.test.rate_hz);
  if (!answers[0].isConnected) return;
  const { buffer, startsS } = trialSound(context, order);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  const mark = (place) => answers.forEach((one, i) => one.toggleAttribute("data-playing", i === place));
  const timers = startsS.map((startS, place) => setTimeout(() => mark(place), 1000 * startS));
  let unwatch = null;
  try {
    await new Promise((resolve, reject) => {
      unwatch = watch(context, { onLost: reject });
      source.onended = resolve;
      app.close = () => {
        unwatch();
        timers.forEach(clearTimeout);
        source.onended = null;
        source.stop();
      };
      source.start();
    });
  } finally {
    unwatch?.();
    timers.forEach(clearTimeout);
    mark(null);
  }
  for (const answer of answers) answer.disabled = false;
  app.frame.announce(say("headphones.which"));
}
