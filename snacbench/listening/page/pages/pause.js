// Going on later, or on another machine.

import { ask, make } from "../dom.js";
import { say } from "../texts.js";

export async function showPause(app) {
  app.pause?.();
  const link = `${location.origin}${location.pathname}${app.resume}`;
  const field = make("input", {
    readonly: true, value: link, "aria-label": say("pause.link"), onfocus: () => field.select(),
  });
  const choice = await ask([
    make("h2", {}, say("pause.title")),
    make("p", {}, say(app.store.lasting ? "pause.text" : "pause.tab")),
    make("p", {}, say("pause.elsewhere")),
    make("p", { class: "field" }, field),
    make("p", { class: "soft" }, say("pause.name", { listener: app.session.listener })),
  ], [[say("pause.close"), "close", { class: "main" }], [say("other.button"), "other"]]);
  if (choice === "other") await app.someoneElse();
}
