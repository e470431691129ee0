// MUSHRA: every signal gets a score beside the open reference (ITU-R BS.1534-3).

import { button, make } from "../dom.js";
import { hint } from "../hint.js";
import { Slider, scaleWords, wordOf } from "../slider.js";
import { list, say } from "../texts.js";

// Keys of the first twelve signals, more than which no page has.
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "a", "b"];
const QUIET_MS = 500;  // a moving slider is told to a screen reader once it rests

class Mushra {
  constructor(desk) {
    const { player, draft, page } = desk;
    const texts = page.reference ? "mushra" : "alone";
    Object.assign(this, { desk, player, draft, question: `${texts}.question`, practice: `${texts}.practice` });
    draft.scores ??= {};
    const offset = page.reference ? 1 : 0;
    this.rows = page.stimuli.map((key, i) => this.makeRow(key, i + 1, offset + i));
    this.reference = page.reference
      && button(say("mushra.reference"), () => player.play(0), { class: "reference" });
    this.sorter = button(say("mushra.sort"), () => this.sort(), { class: "sort" });
    const words = scaleWords().reverse().map((word, i) => make("span", { "data-top": String(100 - 20 * i) }, word));
    const scale = make("div", { class: "scale" },
      make("div", { class: "words", "aria-hidden": "true" }, words),
      this.reference ?? make("div", { class: "room" }));
    desk.transport.add(this.sorter);
    this.board = make("div", { class: "board", role: "group", "aria-label": say("mushra.board") }, scale);
    this.board.style.setProperty("--count", String(this.rows.length));
    this.element = this.board;
    this.arrange(draft.order ?? page.stimuli);
    this.show();
  }

  makeRow(key, number, signal) {
    const name = say("mushra.condition", { n: number });
    const slider = new Slider({
      label: name, score: this.draft.scores[key] ?? null,
      onInput: (score) => this.onScore(key, name, score),
      onRefused: () => this.desk.app.frame.announce(
        say(this.current === signal ? "mushra.listen" : "mushra.play.first", { name })),
    });
    const shown = KEYS[number - 1].toUpperCase();
    const hint = shown === String(number) ? "" : make("kbd", { "aria-hidden": "true" }, shown);
    const play = button(String(number), () => this.player.play(signal), { class: "condition" });
    play.append(hint);
    const element = make("div", { class: "column" }, slider.element, slider.value, play);
    return { key, number, signal, name, slider, play, element };
  }

  get current() { return this.player.sounding ? this.player.active : null; }

  onScore(key, name, score) {
    this.draft.scores[key] = score;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.desk.app.frame.announce(say("mushra.scored", { name, score, word: wordOf(score) }));
    }, QUIET_MS);
    this.desk.refresh();
  }

  onSound(what) {
    if (what === "heard") {
      const row = this.rows.find(({ signal }) => signal === this.player.active);
      // A slider that had the focus hands it on: keys move what is heard.
      const handOn = row && document.activeElement?.matches(".slider");
      if (handOn) row.slider.element.focus({ preventScroll: true });
      this.desk.app.frame.announce(say("mushra.plays", { name: row?.name ?? say("mushra.reference") }));
    }
    this.show();
  }

  /** Which signal sounds, which sliders move, which signals were heard. */
  show() {
    for (const { key, signal, name, slider, play, element } of this.rows) {
      const sounds = this.current === signal, heard = this.desk.heard.enough(key);
      slider.setFree(sounds && heard);
      element.toggleAttribute("data-playing", sounds);
      play.toggleAttribute("data-playing", sounds);
      play.toggleAttribute("data-heard", heard);
      play.setAttribute("aria-label", heard ? say("mushra.heard", { name }) : name);
      play.setAttribute("aria-pressed", String(sounds));
    }
    this.reference?.toggleAttribute("data-playing", this.current === 0);
    this.reference?.setAttribute("aria-pressed", String(this.current === 0));
  }

  arrange(keys) {
    const place = (row) => keys.indexOf(row.key);
    this.board.append(...[...this.rows].sort((a, b) => place(a) - place(b)).map(({ element }) => element));
  }

  /** Best first; what has no score yet stands last. Its number, and its key, stay with a signal. */
  sort() {
    const score = ({ key }) => this.draft.scores[key] ?? -1;
    const focus = document.activeElement;
    const sorted = [...this.rows].sort((a, b) => score(b) - score(a) || a.number - b.number);
    this.draft.order = sorted.map(({ key }) => key);
    this.arrange(this.draft.order);
    focus?.focus({ preventScroll: true });
    this.desk.app.frame.announce(say("mushra.sorted"));
    this.desk.keep();
  }

  missing() {
    const unheard = this.rows.filter(({ key }) => !this.desk.heard.enough(key));
    const unrated = this.rows.filter(({ slider }) => slider.score === null);
    const all = this.rows.length;
    const which = (rows) =>
      rows.length === all ? say("mushra.all") : list(rows.map(({ number }) => number));
    const parts = [
      unheard.length > 0 && say("mushra.unheard", { which: which(unheard) }),
      unrated.length > 0 && say("mushra.unrated", { which: which(unrated) }),
    ].filter(Boolean);
    return parts.length > 0 ? parts.join(" ") : null;
  }

  answer() {
    return { ratings: this.rows.map(({ key, slider }) => ({ stimulus: key, score: slider.score })) };
  }

  /** The slider of what sounds; a slider under the focus that is not free says so itself. */
  move(by) {
    const focused = this.rows.find(({ slider }) => slider.element === document.activeElement);
    const playing = this.rows.find(({ signal }) => signal === this.current);
    const row = focused ?? playing;
    if (row) row.slider.step(by);
    else hint(this.board, this.desk.app.frame.announce(say("mushra.play.any")));
  }

  /** The signal beside the one that sounds, as they stand on the page. */
  beside(step) {
    const shown = [...this.board.querySelectorAll(".column")];
    const rows = shown.map((element) => this.rows.find((row) => row.element === element));
    const at = rows.findIndex(({ signal }) => signal === this.player.active);
    const to = at < 0 ? (step > 0 ? 0 : rows.length - 1) : (at + step + rows.length) % rows.length;
    this.player.play(rows[to].signal);
  }

  get shortcuts() {
    const span = `${KEYS[0]} – ${KEYS[this.rows.length - 1].toUpperCase()}`;
    const moves = [["arrowup", 1], ["arrowdown", -1], ["pageup", 10], ["pagedown", -10]];
    const hear = () => this.player.play(0);
    const reference = { keys: ["r"], shown: ["R"], help: say("keys.reference"), act: hear };
    return [
      ...this.rows.map(({ signal }, i) => ({ keys: [KEYS[i]], act: () => this.player.play(signal) })),
      { keys: [], shown: [span], help: say("keys.condition") },
      ...(this.reference ? [reference] : []),
      { keys: ["arrowleft"], act: () => this.beside(-1) },
      { keys: ["arrowright"], shown: ["←", "→"], help: say("keys.beside"), act: () => this.beside(1) },
      ...moves.map(([key, by]) => ({ keys: [key], repeats: true, act: () => this.move(by) })),
      { keys: [], shown: ["↑", "↓"], help: say("keys.move") },
      { keys: [], shown: [say("key.pageup"), say("key.pagedown")], help: say("keys.jump") },
      { keys: ["s"], shown: ["S"], help: say("keys.sort"), act: () => this.sort() },
    ];
  }
}

export const mushra = (desk) => new Mushra(desk);
