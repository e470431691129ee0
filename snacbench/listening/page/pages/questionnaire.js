// The questions that the author of the test wrote.

import { call } from "../api.js";
import { make, paragraphs } from "../dom.js";
import { say } from "../texts.js";

const LONGEST = 500;

function choiceOf({ id, choices, required }) {
  const options = choices.map((choice) => make("option", { value: choice }, choice));
  return make("select", { id: `q-${id}`, name: id, required },
    make("option", { value: "" }, say("questionnaire.choose")), options);
}

function fieldOf(question) {
  const { id, text, kind, required } = question;
  const input = kind === "choice" && question.choices.length > 0
    ? choiceOf(question)
    : make("input", {
      id: `q-${id}`, name: id, required, maxlength: String(LONGEST), autocomplete: "off",
      type: kind === "number" ? "number" : "text", step: kind === "number" ? "any" : null,
    });
  const mark = required ? null : make("span", { class: "soft" }, ` ${say("questionnaire.optional")}`);
  return make("p", { class: "field" }, make("label", { for: `q-${id}` }, text, mark), input);
}

export function questionnaire(app) {
  const { test, store, frame } = app;
  return new Promise((resolve, reject) => {
    const trouble = make("p", { class: "trouble", role: "alert" });
    const next = make("button", { type: "submit", class: "main" }, say("questionnaire.next"));
    const form = make("form", {}, test.questionnaire.map(fieldOf), trouble,
      make("p", { class: "buttons" }, next));
    const answers = () => Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    for (const [id, value] of Object.entries(store.get("questionnaire") ?? {})) {
      if (form.elements[id]) form.elements[id].value = value;
    }
    form.addEventListener("input", () => store.set("questionnaire", answers()));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      next.disabled = true;
      trouble.textContent = "";
      try {
        await call("POST", "api/questionnaire", { token: app.token, body: { answers: answers() } });
        app.session.answered = true;
        store.remove("questionnaire");
        resolve();
      } catch (error) {
        if (error.status === 401) return reject(error);
        trouble.textContent = error.status === 0 ? say("load.failed") : error.message;
        next.disabled = false;
      }
    });
    const content = [...paragraphs(say("questionnaire.text")), form];
    frame.show({ heading: say("questionnaire.title"), content });
  });
}
