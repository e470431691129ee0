// The last page: thanks, the listener's name, and the way to have all of it deleted.

import { call } from "../api.js";
import { filled } from "../arrival.js";
import { ask, button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";

/** Wait until every answer has arrived, close the test, and say thanks. */
export async function finish(app) {
  if (!app.session.finished) {  // in the queue as well: it is sent though this window be closed now
    const { token } = app;
    app.store.enqueue({ key: `finish:${token}`, path: "api/finish", token, body: {} });
  }
  if (app.sender.pending > 0) {
    app.frame.show({
      heading: say("thanks.almost"), content: [make("p", { role: "alert" }, say("thanks.waiting"))],
    });
  }
  for (let waitS = 1; !app.session.finished; waitS = Math.min(2 * waitS, 30)) {
    await app.sender.flush();
    try {
      await call("POST", "api/finish", { token: app.token, body: {} });
      app.session.finished = true;
    } catch (error) {
      if (!error.passing) throw error;
      app.frame.showSaved("waiting");
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(waitS, error.retryAfterS)));
    }
  }
  await app.loadSession();  // which has the code now
  app.frame.showSaved("saved");
  app.frame.showProgress(1);
  showThanks(app);
}

/** What proves to a platform that the listener is through: a code, a link back, or both. */
function completion({ session: { listener, code, url, came_with: came } }) {
  const shown = code && make("p", {}, say("thanks.code"), " ", make("strong", { class: "code" }, code));
  const href = url && filled(url, { ...came, code, listener });
  const link = href && make("a", { class: "button main", href, rel: "noreferrer" }, say("thanks.go"));
  return [shown, link && make("p", { class: "buttons" }, link)].filter(Boolean);
}

/** Another person may take part here; on a shared computer this is what the page is for. */
function others(app) {
  if (!app.test.shared_computer) return [make("p", { class: "buttons" }, button(say("other.button"), app.someoneElse))];
  const next = button(say("thanks.next"), app.handOver, { class: "main" });
  return [make("p", {}, say("thanks.shared")), make("p", { class: "buttons" }, next)];
}

function showThanks(app) {
  const { test: { contact }, session, frame } = app;
  const trouble = make("p", { class: "trouble", role: "alert" });
  const remove = () => removeData(app).catch((error) => {
    trouble.textContent = error.status === 0 ? say("load.failed") : error.message;
  });
  frame.show({
    heading: say("thanks.title"),
    content: [
      ...paragraphs(say("thanks.text")),
      ...completion(app),
      make("p", {}, say("thanks.name"), " ", make("strong", { class: "listener" }, session.listener)),
      make("p", { class: "soft" }, contact ? say("thanks.contact", { contact }) : say("thanks.keep")),
      ...others(app),
      make("hr"),
      make("p", { class: "soft" }, say("thanks.delete.text")),
      trouble,
      make("p", { class: "buttons" }, button(say("thanks.delete"), remove, { class: "danger" })),
    ],
  });
}

async function removeData(app) {
  const choice = await ask(
    [make("h2", {}, say("delete.title")), make("p", {}, say("delete.text"))],
    [[say("delete.keep"), "keep", { class: "main" }], [say("delete.yes"), "delete", { class: "danger" }]],
  );
  if (choice !== "delete") return;
  await call("POST", "api/delete", { token: app.token, body: {} });
  app.store.forget();
  app.frame.showSaved("");
  app.frame.showEnd(say("deleted.title"), say("deleted.text"), ...others(app));
}
