// One scale from 0 to 100. It has no value until the listener gives it one, and moves only while it
// is free, that is, while its signal is heard.

import { make } from "./dom.js";
import { endHint, hint } from "./hint.js";
import { say } from "./texts.js";

const FIRST = 50;  // where the keyboard puts a slider that has no value yet
const BANDS = ["bad", "poor", "fair", "good", "excellent"];

/** The word of the scale for a score. */
export const wordOf = (score) => say(`scale.${BANDS[Math.min(4, Math.floor(score / 20))]}`);
export const scaleWords = () => BANDS.map((band) => say(`scale.${band}`));

export class Slider {
  /**
   * `onInput` hears every value, `onRefused` every try to move it while it is not free, and returns
   * a sentence that says why.
   */
  constructor({ label, score = null, onInput, onRefused }) {
    Object.assign(this, { score, onInput, onRefused, free: false });
    this.fill = make("div", { class: "fill" });
    this.thumb = make("div", { class: "thumb" });
    this.element = make("div", {
      class: "slider", role: "slider", tabindex: "0", "aria-label": label, "aria-orientation": "vertical",
      "aria-valuemin": "0", "aria-valuemax": "100", "data-own-keys": "home end",
      onpointerdown: (event) => this.onPointer(event),
      onkeydown: (event) => this.onKey(event),
    }, this.fill, this.thumb);
    this.value = make("output", { class: "value", "aria-hidden": "true" });
    this.draw();
    this.setFree(false);
  }

  get words() {
    const { score } = this;
    return score === null ? say("slider.unset") : say("slider.value", { score, word: wordOf(score) });
  }

  /** Say why it does not move, beside it. */
  refuse() { hint(this.element, this.onRefused()); }

  setFree(free) {
    if (free && !this.free) endHint();
    this.free = free;
    this.element.setAttribute("aria-disabled", String(!free));
  }

  set(score) {
    if (!this.free) return this.refuse();
    const value = Math.max(0, Math.min(100, Math.round(score)));
    if (value === this.score) return;
    this.score = value;
    this.draw();
    this.onInput(value);
  }

  /** By the keyboard: the first touch gives a value, later ones move it. */
  step(by) {
    this.set(this.score === null ? FIRST : this.score + by);
  }

  onKey(event) {
    const to = { Home: 0, End: 100 }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.set(to);
  }

  onPointer(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.element.focus({ preventScroll: true });
    if (!this.free) return this.refuse();
    const follow = ({ clientY }) => {
      const { top, height } = this.element.getBoundingClientRect();
      if (this.free) this.set(100 * (1 - (clientY - top) / height));
    };
    const done = () => {
      this.element.removeEventListener("pointermove", follow);
      for (const name of ["pointerup", "pointercancel"]) this.element.removeEventListener(name, done);
    };
    this.element.setPointerCapture(event.pointerId);
    this.element.addEventListener("pointermove", follow);
    for (const name of ["pointerup", "pointercancel"]) this.element.addEventListener(name, done);
    follow(event);
  }

  draw() {
    const { element, score } = this;
    element.toggleAttribute("data-set", score !== null);
    element.setAttribute("aria-valuetext", this.words);
    if (score !== null) element.setAttribute("aria-valuenow", String(score));
    // Before it has a value the thumb is hollow, where the keyboard begins.
    this.thumb.style.bottom = `${score ?? FIRST}%`;
    this.fill.style.height = `${score ?? 0}%`;
    this.value.textContent = score === null ? "–" : String(score);
  }
}
