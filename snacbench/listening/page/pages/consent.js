// Consent. Nothing about the listener goes to the server before they agree.

import { call } from "../api.js";
import { arrivalOf } from "../arrival.js";
import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";

/** Become a listener, unless that was done before, and agree. */
async function agree(app, invite) {
  if (!app.token) {
    const came = { came_with: arrivalOf(app.test), ...(invite && { invite }) };
    const { token } = await call("POST", "api/start", { body: came });
    app.setSession(token, invite || null);
  }
  await call("POST", "api/consent", { token: app.token, body: { agreed: true } });
  await app.loadSession();
}

export function consent(app) {
  const { test, frame } = app;
  return new Promise((resolve, reject) => {
    const given = app.invite ?? "";
    const code = make("input", { id: "invite", autocomplete: "off", value: given });
    const asks = test.invite_required && !app.token;
    const field = make("p", { class: "field", hidden: !asks },
      make("label", { for: "invite" }, say("consent.invite")), code);
    const allow = () => { next.disabled = !box.checked; };
    const box = make("input", { type: "checkbox", id: "agreed", onchange: allow });
    const trouble = make("p", { class: "trouble", role: "alert" });
    const go = async () => {
      next.disabled = true;
      trouble.textContent = "";
      try {
        await agree(app, code.value.trim());
        resolve();
      } catch (error) {
        if (error.status === 401 && app.token) return reject(error);
        trouble.textContent = error.code === "invite-used" ? say("consent.used")
          : error.status === 0 ? say("load.failed") : error.message;
        allow();
      }
    };
    const next = button(say("consent.next"), go, { class: "main", disabled: true });
    const { contact } = test;
    const whom = contact ? make("p", { class: "soft" }, say("consent.contact", { contact })) : null;
    frame.show({
      heading: say("consent.title"),
      content: [
        ...paragraphs(test.consent || say("consent.text")), whom, field,
        make("p", { class: "check" }, box, make("label", { for: "agreed" }, say("consent.agree"))),
        trouble, make("p", { class: "buttons" }, next),
      ].filter(Boolean),
    });
  });
}
