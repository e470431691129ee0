// Where nothing sounds: what happened, what to do, and a button; beside what was pressed.

import { SoundError } from "../audio/device.js";
import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";

/** A sentence about an error, most often a `SoundError`, and the way on; no room while all is well. */
export class Trouble {
  constructor() {
    this.element = make("div", { class: "no-sound", role: "alert" });
  }

  show(error, again) {
    const code = error instanceof SoundError ? error.code : "none";
    const begun = ["lost", "changed"].includes(code);
    const retry = button(say(begun ? "sound.again" : "load.retry"), () => {
      this.clear();
      again();
    }, { class: "main" });
    this.element.replaceChildren(make("p", {}, say(`sound.${code}`, { why: error.message })), retry);
    this.element.scrollIntoView({ block: "nearest" });
  }

  clear() { this.element.replaceChildren(); }
}

/** Whoever hears nothing: what to look at, whom to ask, and the way back. */
export const hearsNothing = ({ frame, test: { contact } }) => new Promise((resolve) => frame.show({
  heading: say("silent.title"),
  content: [
    ...paragraphs(say("silent.text")),
    make("p", {}, contact ? say("silent.contact", { contact }) : say("silent.leave")),
    make("p", { class: "buttons" }, button(say("load.retry"), resolve, { class: "main" })),
  ],
}));
