// A sentence at the very place where the listener tried something that cannot be done yet. Screen
// readers are told by the live region.

import { make } from "./dom.js";

const SHOWN_MS = 4000;
let end = () => {};

/** Show it in an element that is positioned, for as long as it takes to read; in place of any other. */
export function hint(host, text) {
  end();
  const sentence = make("p", { class: "refusal", "aria-hidden": "true" }, text);
  const timer = setTimeout(() => end(), SHOWN_MS);
  end = () => {
    clearTimeout(timer);
    sentence.remove();
    end = () => {};
  };
  host.append(sentence);
}

/** Whatever it said is done now. */
export const endHint = () => end();
