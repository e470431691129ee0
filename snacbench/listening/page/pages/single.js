// One condition at a time: alone (ACR), after the reference (DCR), or in a pair with it of which the
// second is judged (CCR); ITU-T P.800, annexes B, D and E. Sounds play from their beginning, nothing
// repeats, and one is heard once it has played to its end.

import { button, make } from "../dom.js";
import { say } from "../texts.js";

const GAP_MS = 500;      // between the two sounds of a pair
const ROUNDING_S = 0.005; // a sound that stops so close to its end was heard whole
const WORDS = {  // from the best to the worst
  acr: ["scale.excellent", "scale.good", "scale.fair", "scale.poor", "scale.bad"],
  dcr: ["dcr.inaudible", "dcr.audible", "dcr.slight", "dcr.annoying", "dcr.very"],
  ccr: [
    "ccr.much.better", "ccr.better", "ccr.slightly.better", "ccr.same",
    "ccr.slightly.worse", "ccr.worse", "ccr.much.worse",
  ],
};
const BEST = { acr: 5, dcr: 5, ccr: 3 };
const SOUNDS = {
  acr: [{ id: "only", name: "play.start" }],
  dcr: [{ id: "first", key: "a", name: "mushra.reference" }, { id: "second", key: "b", name: "single.version" }],
  ccr: [{ id: "first", key: "a", name: "single.first" }, { id: "second", key: "b", name: "single.second" }],
};

class Single {
  constructor(desk) {
    const { player, draft, page, app } = desk;
    const { form } = app.test;
    Object.assign(this, { desk, player, draft, question: `${form}.question`, practice: `${form}.practice` });
    player.looping = false;
    this.again = () => this.hear(this.sounds.map(({ signal }) => signal));
    draft.whole ??= {};    // how often sounds were heard to their end
    this.before = null;    // seconds that the one which plays had been heard
    this.queue = [];       // sounds that are still to follow the one that plays
    this.sounds = SOUNDS[form].map((sound, signal) => this.makeSound(sound, signal));
    this.choices = WORDS[form].map((word, i, all) =>
      this.makeChoice(BEST[form] - i, String(all.length - i), say(word)));
    this.both = this.sounds.length > 1 ? button("", () => this.toggle(), { class: "main play" }) : null;
    this.hint = make("span", { class: "unheard" }, say(this.pair ? "single.unheard.pair" : "single.unheard"));
    const asked = this.choices.find(({ score }) => String(score) === String(page.asked ?? ""));
    const check = asked && make("p", { class: "asked", role: "note" }, say("single.asked", { word: asked.word }));
    this.element = make("div", { class: "judged" },
      make("div", { class: "sounds", role: "group", "aria-label": say("pair.signals") },
        this.both, this.sounds.map(({ element }) => element)),
      desk.trouble.element, check ?? null,
      make("fieldset", { class: "scores", "data-own-keys": "arrowup arrowdown" },
        make("legend", {}, say(`${form}.legend`), this.hint), this.choices.map(({ label }) => label)));
    this.show();
  }

  get pair() { return this.sounds.length > 1; }
  get unheard() { return this.sounds.some(({ id }) => !this.draft.whole[id]); }

  makeSound({ id, key, name }, signal) {
    const fill = make("span", { class: "fill" });
    const words = make("span", {}, say(name));
    const bar = make("span", { class: "bar", "aria-hidden": "true" }, fill);
    const element = make("button", {
      type: "button", class: `signal ${id}`,
      onclick: () => this.pair ? this.hear([signal]) : this.toggle(),
    }, words, bar);
    return { id, key, name: say(name), signal, words, fill, element };
  }

  makeChoice(score, key, word) {
    const input = make("input", {
      type: "radio", name: "score", value: String(score), onchange: () => this.choose(score),
    });
    const text = make("span", {}, word, make("kbd", { "aria-hidden": "true" }, key));
    return { score, key, word, input, label: make("label", { class: "choice" }, input, text) };
  }

  /** All sounds of the page in their order, or silence; after trouble all of them again. */
  toggle() {
    if (this.busy) this.silence();
    else this.again();
  }

  get busy() { return this.player.playing || this.queue.length > 0; }

  silence() {
    clearTimeout(this.timer);
    this.queue = [];
    if (this.player.playing) this.player.stop();
    this.show();
  }

  /** Sounds one after another, the first one now. */
  hear([signal, ...others]) {
    this.silence();
    this.queue = others;
    this.player.play(signal);
    this.show();
  }

  onSound(what) {
    const { player, draft } = this;
    const sound = this.sounds[player.active];
    const { heard_s: seconds } = this.desk.heard.of(this.desk.page.keys[player.active]);
    if (what === "heard") {
      this.before = seconds;
      if (this.pair) this.desk.app.frame.announce(say("mushra.plays", { name: sound.name }));
    }
    if (what === "stopped") {
      const whole = this.before !== null && seconds - this.before >= player.durationS - ROUNDING_S;
      this.before = null;
      if (whole) draft.whole[sound.id] = (draft.whole[sound.id] ?? 0) + 1;
      else this.queue = [];
      if (this.queue.length > 0) this.timer = setTimeout(() => this.goOn(), GAP_MS);
    }
    this.show();
  }

  goOn() {
    // The page may have been left, or paused, in the gap.
    if (!this.element.isConnected || document.querySelector("dialog[open]")) this.queue = [];
    if (this.queue.length > 0) this.player.play(this.queue.shift());
    else this.show();
  }

  choose(score) {
    if (this.unheard) return this.desk.app.frame.announce(this.hint.textContent);
    this.draft.score = score;
    this.show();
    this.desk.refresh();
  }

  /** The next better or worse answer; the middle one where there is none yet. */
  step(by) {
    const at = this.choices.findIndex(({ score }) => score === this.draft.score);
    const middle = (this.choices.length - 1) / 2;
    const to = at < 0 ? middle : Math.max(0, Math.min(this.choices.length - 1, at + by));
    this.choose(this.choices[to].score);
  }

  /** Nothing can be answered before all was heard. */
  show() {
    const { player, unheard, draft } = this;
    for (const { id, signal, element, words } of this.sounds) {
      const sounds = player.sounding && player.active === signal;
      element.toggleAttribute("data-playing", sounds);
      element.toggleAttribute("data-heard", Boolean(draft.whole[id]));
      element.setAttribute("aria-pressed", String(sounds));
      if (!this.pair) words.textContent = this.playWords(sounds);
    }
    if (this.both) {
      this.both.textContent = this.playWords(this.busy, "single.both");
      this.both.toggleAttribute("data-playing", this.busy);
    }
    this.hint.hidden = !unheard;
    for (const { score, input } of this.choices) {
      input.disabled = unheard;
      input.checked = draft.score === score;
    }
    this.tick();
  }

  playWords(sounds, first = "play.start") {
    return say(sounds ? "play.stop" : this.unheard ? first : "single.again");
  }

  /** The bar of what plays follows the sound; others are full once heard. */
  tick() {
    cancelAnimationFrame(this.frameRequest);
    const { player } = this;
    for (const { id, signal, fill } of this.sounds) {
      const sounds = player.sounding && player.active === signal;
      fill.style.width = `${100 * (sounds ? player.frame / player.length : Number(Boolean(this.draft.whole[id])))}%`;
    }
    if (player.playing && this.element.isConnected !== false) this.frameRequest = requestAnimationFrame(() => this.tick());
  }

  missing() {
    if (this.unheard) return say("single.missing");
    return this.draft.score === undefined ? say("pair.unanswered") : null;
  }

  answer() {
    return { ratings: [{ stimulus: this.desk.page.stimuli.at(-1), score: this.draft.score }] };
  }

  get shortcuts() {
    const play = { keys: [" "], shown: [say("key.space")], help: say("keys.play"), act: () => this.toggle() };
    const sounds = this.pair ? this.sounds : [];
    return [
      play,
      ...sounds.map(({ key, name, signal }) => ({
        keys: [key], shown: [key.toUpperCase()], help: say("keys.hear", { name }), act: () => this.hear([signal]),
      })),
      ...this.choices.map(({ key, word, score }) => ({
        keys: [key], shown: [key], help: word, act: () => this.choose(score),
      })),
      { keys: ["arrowup"], act: () => this.step(-1) },
      { keys: ["arrowdown"], shown: ["↑", "↓"], help: say("keys.step"), act: () => this.step(1) },
    ];
  }

  close() {
    clearTimeout(this.timer);
    this.queue = [];
  }
}

export const single = (desk) => new Single(desk);
