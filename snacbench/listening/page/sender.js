// Brings answers to the server, in order, however often it takes.
//
// An answer leaves the browser's store only when the server has said that it has it. The server
// takes the same answer twice for one, so a lost reply does no harm.

import { call } from "./api.js";

const FIRST_WAIT_S = 1, LONGEST_WAIT_S = 30;

/**
 * `onState` hears "saved", "saving" or "waiting"; `onSaved` a page's key; `onRefused` an error that
 * no later attempt would mend, and the answer that was refused.
 */
export function createSender({ store, onState, onSaved, onRefused }) {
  let running = null, wake = null;

  const pause = (waitS) => new Promise((resolve) => {
    const timer = setTimeout(resolve, waitS * 1000);
    wake = () => { clearTimeout(timer); resolve(); };
  });

  async function sendFirst() {
    const answer = store.queue[0];
    const { key, token, body, path = `api/pages/${key}` } = answer;
    try {
      await call("POST", path, { token, body });
    } catch (error) {
      if (error.passing) throw error;
      store.dequeue(key);
      onRefused(error, answer);
      return;
    }
    store.dequeue(key);
    onSaved(key);
  }

  async function run() {
    let waitS = FIRST_WAIT_S;
    const some = store.queue.length > 0;
    if (some) onState("saving");
    while (store.isOwner && store.queue.length > 0) {
      try {
        await sendFirst();
        waitS = FIRST_WAIT_S;
      } catch (error) {
        onState("waiting");
        // Scattered, so that a server that comes back does not meet all listeners at once.
        await pause(Math.max(error.retryAfterS, waitS * (0.75 + Math.random() / 2)));
        waitS = Math.min(2 * waitS, LONGEST_WAIT_S);
      }
    }
    running = wake = null;  // at once, so that whoever adds an answer next starts anew
    if (some && store.queue.length === 0) onState("saved");
  }

  const sender = {
    get pending() { return store.queue.length; },
    add(answer) {
      store.enqueue(answer);
      sender.flush();
    },
    /** Send what waits, now; resolves when nothing waits any more. */
    flush() {
      wake?.();
      return (running ??= Promise.resolve().then(run));
    },
  };
  window.addEventListener("online", () => sender.flush());
  return sender;
}
