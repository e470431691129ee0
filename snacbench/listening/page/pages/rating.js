// A page on which something is judged: its signals, its draft, its time, and what it sends. What is
// asked stands in mushra.js, single.js and pair.js.

import { Heard } from "../audio/heard.js";
import { loadSignals } from "../audio/load.js";
import { Player } from "../audio/player.js";
import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";
import { mushra } from "./mushra.js";
import { pair } from "./pair.js";
import { single } from "./single.js";
import { Transport } from "./transport.js";
import { Trouble } from "./trouble.js";

const TASKS = { mushra, single, ab: pair, abx: pair };
const LONGEST_COMMENT = 2000, KEEP_EVERY_MS = 3000;

/** Resolves to the body of the answer. `meanwhile` is called once all signals are there. */
export async function rate(app, page, meanwhile) {
  const buffers = await load(app, page);
  meanwhile();
  return new Promise((resolve) => new Desk(app, page, buffers, resolve));
}

/** All signals of the page; tries again when the listener, or the network, says so. */
async function load(app, { keys, place }) {
  for (;;) {
    const bar = make("progress", { max: "1", value: "0", "aria-label": say("load.progress") });
    const slow = make("p", { class: "soft", role: "status" });
    app.frame.show({ heading: place, content: [make("p", {}, say("load.text")), bar, slow], kind: "loading" });
    try {
      return await loadSignals(keys, {
        token: app.token, rateHz: app.test.rate_hz,
        onShare: (share) => { bar.value = share; },
        onAgain: ({ tried, of }) => { slow.textContent = say("load.again", { n: tried, of }); },
      });
    } catch (error) {
      if (error.status === 401) throw error;
      await askAgain(app, place, error, keys.length);
    }
  }
}

/** Why the sounds of a page are not there, in a sentence. */
function whyNot(error, of) {
  if (error.sound) return say("load.sound", { n: error.sound, of, why: error.message });
  if (error.code === "audio") return say("load.audio", { why: error.message });
  if (error.code === "stalled") return say("load.stalled");
  return error.status === 0 ? say("load.failed") : error.message;
}

const askAgain = (app, place, error, of) => new Promise((resolve) => {
  const online = () => { window.removeEventListener("online", online); resolve(); };
  window.addEventListener("online", online);
  const retry = button(say("load.retry"), online, { class: "main" });
  const { contact } = app.test;
  const whom = contact ? [make("p", { class: "soft" }, say("load.contact", { contact }))] : [];
  app.frame.show({
    heading: place, content: [
      make("p", { role: "alert" }, whyNot(error, of)), ...whom, make("p", { class: "buttons" }, retry),
    ],
  });
});

/** Seconds that a page was in view, over all visits to it. */
class Stopwatch {
  constructor(earlierS) {
    this.total = earlierS;
    this.since = document.hidden ? null : performance.now();
    this.watch = () => {
      this.total = this.seconds;
      this.since = document.hidden ? null : performance.now();
    };
    document.addEventListener("visibilitychange", this.watch);
  }

  get seconds() {
    return this.total + (this.since === null ? 0 : (performance.now() - this.since) / 1000);
  }

  close() { document.removeEventListener("visibilitychange", this.watch); }
}

/** A check of attention asks for one given answer; where one sound is judged, single.js says so. */
function checkOf({ kind, asked }) {
  if (asked === null || kind === "single") return [];
  const text = kind === "mushra" ? say("attention.sliders", { score: asked })
    : say("attention.choice", { answer: say(`${kind}.${asked}`) });
  return [make("p", { class: "asked", role: "note" }, text)];
}

/** What is on the listener's desk: one page, from its first sound to its answer. */
class Desk {
  constructor(app, page, buffers, resolve) {
    Object.assign(this, { app, page, resolve });
    const fresh = { counts: {}, heard: {}, comment: "", elapsedS: 0, looping: true, region: null };
    this.draft = { ...fresh, ...app.store.draft(page.key) };
    const { min_loop_s: minLoopS, fade_s: fadeS, rate_hz: rateHz } = app.test;
    const { looping, region } = this.draft;
    this.player = new Player(buffers, {
      minLoopS, fadeS, rateHz, looping, region, onChange: (what) => this.onSound(what),
      onSeconds: (index, seconds) => this.heard.add(index, seconds) && this.onEnough(),
      onTrouble: (error) => this.onTrouble(error),
    });
    const leastS = Math.min(app.test.least_heard_s, this.player.durationS);
    this.heard = new Heard(page.keys, this.draft.heard, leastS);
    this.count("visits");
    this.watch = new Stopwatch(this.draft.elapsedS);
    this.transport = page.kind === "single" ? null  // what sounds there is not to be picked apart
      : new Transport(this.player, page.reference ? buffers[0] : null, app.frame.announce);
    this.trouble = this.transport?.trouble ?? new Trouble();
    this.task = TASKS[page.kind](this);
    this.timer = setInterval(() => this.keep(), KEEP_EVERY_MS);
    app.close = () => this.close();
    app.pause = () => this.player.playing && this.player.stop();
    this.build();
    this.refresh();
  }

  build() {
    const { app, page, task, transport, draft } = this;
    this.missing = make("p", { class: "missing", id: "missing", "aria-live": "polite" });
    this.next = button(say("rating.next"), () => this.submit(), {
      class: "main", "aria-describedby": "missing",
    });
    this.comment = make("textarea", {
      id: "comment", rows: "1", maxlength: String(LONGEST_COMMENT), oninput: () => this.keep(),
    });
    this.comment.value = draft.comment;
    const comment = make("p", { class: "field comment" },
      make("label", { for: "comment" }, say("rating.comment")), this.comment);
    const practice = page.training
      ? [make("div", { class: "practice" }, paragraphs(say(task.practice)))] : [];
    app.frame.show({
      heading: page.place, task: say(task.question), kind: `rating ${page.kind}`,
      content: [
        ...practice, ...checkOf(page), ...(transport ? [transport.element] : []), task.element,
        make("footer", {}, comment, make("div", { class: "go" }, this.missing, this.next)),
      ],
      shortcuts: [
        ...task.shortcuts, ...(transport?.shortcuts ?? []),
        { keys: ["n"], shown: ["N"], help: say("keys.next"), act: () => this.submit() },
      ],
    });
  }

  count(what) { this.draft.counts[what] = (this.draft.counts[what] ?? 0) + 1; }

  /** Of the player: "heard" a signal, "stopped", "moved" the position, changed the "loop". */
  onSound(what) {
    this.count(what);
    if (what === "heard") this.heard.play(this.player.active);
    if (what !== "stopped") this.trouble.clear();
    this.draft.looping = this.player.looping;
    this.draft.region = this.player.hasWholeRegion ? null : this.player.region;
    this.task.onSound(what);
    this.transport?.update();
    this.refresh();
  }

  /** A signal was just heard for long enough to be judged. */
  onEnough() {
    this.task.onSound("enough");
    this.refresh();
  }

  /** Sound did not begin, or stopped by itself. */
  onTrouble(error) {
    this.count(`sound_${error.code}`);
    this.trouble.show(error, this.task.again ?? (() => this.player.goOn()));
  }

  /** Show what is missing, and keep the draft. */
  refresh() {
    const missing = this.task.missing();
    this.missing.textContent = missing ?? say("rating.complete");
    this.next.setAttribute("aria-disabled", String(missing !== null));
    this.keep();
  }

  keep() {
    this.draft.comment = this.comment.value;
    this.draft.elapsedS = this.watch.seconds;
    this.app.store.setDraft(this.page.key, this.draft);
  }

  submit() {
    const missing = this.task.missing();
    if (missing !== null) return this.app.frame.announce(missing);
    this.keep();
    this.close();
    const { comment, elapsedS, counts, heard } = this.draft;
    this.resolve({
      ...this.task.answer(), heard, comment: comment.trim(), time_s: Math.round(10 * elapsedS) / 10,
      playback: counts, ...this.machine,
    });
  }

  /** On what it was heard: pages of one listener may come from several machines. */
  get machine() {
    const { passed, right, of } = this.app.store.get("headphones") ?? {};
    if (typeof passed !== "boolean") return { headphones: this.app.store.get("headphones") && "skipped" };
    return { headphones: passed ? "passed" : "failed", headphones_right: `${right.at(-1)} of ${of}` };
  }

  close() {
    clearInterval(this.timer);
    this.app.close = this.app.pause = null;
    this.transport?.close();
    this.task.close?.();
    this.player.close();
    this.watch.close();
  }
}
