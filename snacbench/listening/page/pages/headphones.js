// The headphone check. It never bars the way: its result is recorded with the answers.

import { headphoneTrials, trialSound } from "../audio/checks.js";
import { liveContext } from "../audio/player.js";
import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";

// As in Woods et al. (audio/checks.js): who guesses passes an attempt in (6 * 2 + 1) / 3^6 = 1.8 %.
// It ends as soon as that is decided, which changes nothing about it.
const TRIALS = 6, ENOUGH = 5, ATTEMPTS = 2, NEXT_MS = 600;

/** Resolves to {passed, right: [right answers of each attempt], of}. */
export async function headphones(app) {
  const right = [];
  while (right.length < ATTEMPTS) {
    if (right.length > 0) await again(app);
    right.push(await attempt(app));
    if (right.at(-1) >= ENOUGH) break;
  }
  const passed = right.at(-1) >= ENOUGH;
  if (!passed) await message(app, "headphones.failed", "headphones.anyway");
  return { passed, right, of: TRIALS };
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
  return right;
}

/** One trial, heard once: resolves to the place of the tone that seemed the softest. */
function trial(app, number, order) {
  return new Promise((resolve) => {
    const answers = order.map((_, place) => button(say("headphones.tone", { n: place + 1 }), () => {
      app.close = null;
      resolve(place);
    }, { class: "tone", disabled: true }));
    const start = async () => {
      if (play.disabled) return;
      play.disabled = true;
      app.close = await playTrial(app, order, answers);
    };
    const play = button(say("headphones.play"), start, { class: "sound" });
    const number3 = (event) => answers[Number(event.key) - 1].click();
    app.frame.show({
      heading: say("headphones.title"),
      content: [...paragraphs(say("headphones.text")),
        make("p", { class: "soft" }, say("headphones.count", { n: number + 1, of: TRIALS })),
        make("p", { class: "stage" }, play),
        make("div", { class: "tones", role: "group", "aria-label": say("headphones.which") }, answers)],
      shortcuts: [{ keys: [" "], act: start }, { keys: ["1", "2", "3"], act: number3 }],
    });
    if (number > 0) setTimeout(() => play.isConnected && start(), NEXT_MS);
  });
}

/** Plays a trial, shows which tone sounds, then lets answer; resolves to what silences it. */
async function playTrial({ test, frame }, order, answers) {
  const context = liveContext(test.rate_hz);
  await context.resume();
  const { buffer, startsS } = trialSound(context, order);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  const timers = startsS.map((startS, place) => setTimeout(() => {
    answers.forEach((answer, i) => answer.toggleAttribute("data-playing", i === place));
  }, 1000 * startS));
  source.onended = () => {
    for (const answer of answers) {
      answer.removeAttribute("data-playing");
      answer.disabled = false;
    }
    frame.announce(say("headphones.which"));
  };
  source.start();
  return () => {
    timers.forEach(clearTimeout);
    source.onended = null;
    source.stop();
  };
}
