// What this browser keeps, so that a reload or a crash loses nothing: the token, what was checked
// on this machine, drafts of pages, and answers that the server has not got yet.

/** A JSON store over localStorage; in memory where the browser refuses to keep anything. */
export function createStore(testId, storage = window.localStorage) {
  const prefix = `snacbench:${testId}:`;
  const memory = new Map();
  const me = `${Date.now()}-${Math.random()}`;

  const read = (name) => {
    try {
      return JSON.parse(storage.getItem(prefix + name) ?? memory.get(name) ?? "null");
    } catch {
      return JSON.parse(memory.get(name) ?? "null");
    }
  };
  const put = (name, value) => {
    const text = JSON.stringify(value);
    try {
      storage.setItem(prefix + name, text);
      memory.delete(name);
    } catch {
      memory.set(name, text);
    }
  };

  const without = (page) => store.queue.filter(({ key }) => key !== page);

  const store = {
    /** Of several tabs one writes: the last that was opened or chosen. */
    get isOwner() {
      const owner = read("owner");
      return owner === null || owner === me;
    },
    takeOver: () => put("owner", me),
    onLost(tell) {
      window.addEventListener("storage", ({ key }) => key === `${prefix}owner` && !store.isOwner && tell());
    },

    get: read,
    set(name, value) {
      if (store.isOwner) put(name, value);
    },
    remove(name) {
      if (!store.isOwner) return;
      memory.delete(name);
      try { storage.removeItem(prefix + name); } catch { /* nothing was kept */ }
    },
    /** Forget the listener on this machine. */
    clear() {
      memory.clear();
      for (const key of Object.keys(storage)) if (key.startsWith(prefix)) storage.removeItem(key);
      store.takeOver();
    },

    draft: (page) => read(`draft:${page}`) ?? {},
    setDraft: (page, draft) => store.set(`draft:${page}`, draft),
    dropDraft: (page) => store.remove(`draft:${page}`),

    /** Answers on their way, oldest first: {key, token, body}. */
    get queue() { return read("queue") ?? []; },
    enqueue: (answer) => store.set("queue", [...without(answer.key), answer]),
    dequeue: (key) => store.set("queue", without(key)),
  };
  return store;
}
