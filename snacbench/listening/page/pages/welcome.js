// The first page: what this is.

import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";

export function welcome({ test, session, frame }) {
  return new Promise((resolve) => {
    const again = session !== null;
    const text = again ? say("welcome.again") : test.welcome || say("welcome.text");
    // An author's own welcome says what is needed in its own words.
    const needs = again || !test.welcome ? ["headphones", "quiet", "time"] : [];
    const lines = needs.map((what) => make("li", {}, say(`welcome.${what}`)));
    frame.show({
      heading: again ? say("welcome.title.again") : test.title,
      content: [
        ...paragraphs(text),
        lines.length > 0 ? make("ul", { class: "needs" }, lines) : null,
        test.invite_required && !again ? make("p", { class: "soft" }, say("welcome.invite")) : null,
        make("p", { class: "buttons" }, button(say("welcome.begin"), resolve, { class: "main" })),
      ].filter(Boolean),
    });
  });
}
