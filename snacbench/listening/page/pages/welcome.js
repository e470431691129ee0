// The first page: what this is.

import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";

// Of a listener's time: a sound is heard one and a half times, and a page has 5 s without one; five
// minutes go by before the first page and after the last.
const TIMES_HEARD = 1.5, PAGE_S = 5, AROUND_MIN = 5;

/** About how long the test takes, in minutes, in fives. */
function minutesOf({ sounds, longest_s: longestS }) {
  const seconds = sounds.reduce((sum, count) => sum + PAGE_S + TIMES_HEARD * longestS * count, 0);
  return 5 * Math.ceil((seconds / 60 + AROUND_MIN) / 5);
}

export function welcome({ test, session, frame }) {
  return new Promise((resolve) => {
    const again = session !== null;
    const text = again ? say("welcome.again") : test.welcome || say("welcome.text");
    const needs = ["headphones", "quiet", ...(again ? [] : ["time"]), "breaks"];
    const lines = needs.map((what) => make("li", {}, say(`welcome.${what}`, { n: minutesOf(test) })));
    frame.show({
      heading: again ? say("welcome.title.again") : test.title,
      content: [
        make("p", { class: "screen" }, say("welcome.screen")),
        ...paragraphs(text),
        make("ul", { class: "needs" }, lines),
        test.invite_required && !again ? make("p", { class: "soft" }, say("welcome.invite")) : null,
        make("p", { class: "buttons" }, button(say("welcome.begin"), resolve, { class: "main" })),
      ].filter(Boolean),
    });
  });
}

/** After a long break it may be somebody else who sits here. */
export const returning = (app) => new Promise((resolve) => app.frame.show({
  heading: say("welcome.title.again"),
  content: [
    ...paragraphs(say("welcome.back", { listener: app.session.listener })),
    make("p", { class: "buttons" },
      button(say("welcome.on"), resolve, { class: "main" }), button(say("other.button"), app.someoneElse)),
  ],
}));
