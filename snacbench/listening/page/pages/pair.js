// Pairs: AB asks which of two is preferred, ABX which of two X is.

import { button, make } from "../dom.js";
import { hint } from "../hint.js";
import { list, say } from "../texts.js";

const ANSWERS = { ab: ["a", "tie", "b"], abx: ["a", "b"] };
const ARROWS = { a: ["arrowleft", "←"], tie: ["arrowdown", "↓"], b: ["arrowright", "→"] };

class Pair {
  constructor(desk) {
    const { player, draft, page, app } = desk;
    const { kind } = page;
    Object.assign(this, { desk, player, draft, kind });
    Object.assign(this, { question: `${kind}.question`, practice: `${kind}.practice` });
    const offset = page.reference ? 1 : 0;
    const letters = kind === "abx" ? ["a", "b", "x"] : ["a", "b"];
    this.signals = [
      ...(offset ? [{ id: "reference", key: "r", name: say("mushra.reference"), signal: 0 }] : []),
      ...letters.map((id, i) => ({ id, key: id, name: id.toUpperCase(), signal: offset + i })),
    ].map((signal) => ({ ...signal, play: this.makePlay(signal) }));
    const tie = app.session.allow_tie !== false;
    this.choices = ANSWERS[kind].filter((id) => tie || id !== "tie").map((id) => this.makeChoice(id));
    const sounds = { class: "signals", role: "group", "aria-label": say("pair.signals") };
    const refuse = () => this.unheard.length > 0 && this.refuse();
    this.answers = make("fieldset", { class: "choices", onpointerdown: refuse },
      make("legend", {}, say(`${kind}.legend`)), this.choices.map(({ label }) => label));
    this.element = make("div", { class: "pair" },
      make("div", sounds, this.signals.map(({ play }) => play)), this.answers);
    this.show();
  }

  makePlay({ id, name, signal }) {
    return button(name, () => this.player.play(signal), {
      class: `signal ${id}`, "aria-label": id === "reference" ? name : say("pair.signal", { name }),
    });
  }

  makeChoice(id) {
    const input = make("input", {
      type: "radio", name: "choice", value: id, checked: this.draft.choice === id,
      onchange: () => this.choose(id),
    });
    const words = make("span", {}, say(`${this.kind}.${id}`));
    return { id, input, label: make("label", { class: "choice" }, input, words) };
  }

  isHeard({ signal }) { return this.desk.heard.enough(this.desk.page.keys[signal]); }

  get unheard() { return this.signals.filter((one) => one.id !== "reference" && !this.isHeard(one)); }

  refuse() { hint(this.answers, this.desk.app.frame.announce(this.missing())); }

  choose(id) {
    if (this.unheard.length > 0) return this.refuse();
    this.draft.choice = id;
    this.show();
    this.desk.refresh();
  }

  onSound(what) {
    if (what === "heard") {
      const { name } = this.signals.find(({ signal }) => signal === this.player.active);
      this.desk.app.frame.announce(say("mushra.plays", { name }));
    }
    this.show();
  }

  /** Nothing can be answered before all was heard. */
  show() {
    const locked = this.unheard.length > 0;
    for (const one of this.signals) {
      const { signal, play } = one, sounds = this.player.sounding && this.player.active === signal;
      play.toggleAttribute("data-playing", sounds);
      play.toggleAttribute("data-heard", this.isHeard(one));
      play.setAttribute("aria-pressed", String(sounds));
    }
    for (const { id, input } of this.choices) {
      input.disabled = locked;
      input.checked = this.draft.choice === id;
    }
  }

  missing() {
    const { unheard } = this;
    if (unheard.length > 0) return say("mushra.unheard", { which: list(unheard.map(({ name }) => name)) });
    return this.draft.choice ? null : say("pair.unanswered");
  }

  answer() { return { answer: this.draft.choice }; }

  get shortcuts() {
    return [
      ...this.signals.map(({ id, key, name, signal }) => ({
        keys: id === "reference" ? ["r"] : [key, String("abx".indexOf(key) + 1)],
        shown: [key.toUpperCase()], help: say("keys.hear", { name }), act: () => this.player.play(signal),
      })),
      ...this.choices.map(({ id }) => ({
        keys: [ARROWS[id][0]], shown: [ARROWS[id][1]], help: say(`${this.kind}.${id}`),
        act: () => this.choose(id),
      })),
    ];
  }
}

export const pair = (desk) => new Pair(desk);
