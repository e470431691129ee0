// What this browser keeps, so that a reload or a crash loses nothing. Answers that the server has
// not got yet wait for whoever gave them, each with their token. All else belongs to one person:
// token, invitation and name, what was checked with them on this machine, drafts of pages.

const OF_ALL = ["owner", "queue"];
const KEPT = "kept:";  // of a person whom the address named, while another one takes part
const TOO_OFTEN = /:(owner|seen|questionnaire|draft:.*)$/;  // written at every touch

/** A storage of the browser, null where it is blocked; one that is full can still be read. */
function openStorage(kind) {
  try {
    return window[kind].length >= 0 ? window[kind] : null;
  } catch {
    return null;
  }
}

/**
 * In place of a storage: memory and, for what is not written too often, the tab's own entry of its
 * history. That outlives a reload, but not the tab.
 */
function createMemory() {
  const values = new Map(Object.entries(history.state?.snacbench ?? {}));
  const keep = (key) => {
    if (TOO_OFTEN.test(key)) return;
    const lasting = Object.fromEntries([...values].filter(([other]) => !TOO_OFTEN.test(other)));
    try { history.replaceState({ snacbench: lasting }, ""); } catch { /* memory alone, then */ }
  };
  return {
    keys: () => [...values.keys()],
    getItem: (key) => values.get(key) ?? null,
    setItem(key, text) { values.set(key, text); keep(key); },
    removeItem(key) { if (values.delete(key)) keep(key); },
  };
}

/**
 * A JSON store. On a `shared` computer a person's part of it ends with the tab. `tell` hears when
 * the browser refuses to keep something, which is in memory from then on.
 */
export function createStore({ id, shared_computer: shared }, tell = () => {}) {
  const prefix = `snacbench:${id}:`;
  const memory = createMemory();
  const local = openStorage("localStorage") ?? memory;
  const own = shared ? openStorage("sessionStorage") ?? memory : local;
  const me = `${Date.now()}-${Math.random()}`;
  let lasting = !shared;
  const refuse = () => {
    lasting = false;
    tell();
  };
  const placeOf = (name) => (OF_ALL.includes(name) ? local : own);

  const read = (name) => {
    const key = prefix + name;
    try {
      return JSON.parse(memory.getItem(key) ?? placeOf(name).getItem(key) ?? "null");
    } catch {
      return null;
    }
  };
  const put = (name, value) => {
    const key = prefix + name, text = JSON.stringify(value), place = placeOf(name);
    try {
      place.setItem(key, text);
      if (place !== memory) memory.removeItem(key);
    } catch {
      memory.setItem(key, text);
      refuse();
    }
  };
  const drop = (name) => {
    memory.removeItem(prefix + name);
    try { placeOf(name).removeItem(prefix + name); } catch { /* nothing was kept */ }
  };
  const namesIn = (place) =>
    (place === memory ? memory.keys() : Object.keys(place))
      .filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  const personal = () => {
    const names = new Set([...namesIn(own), ...namesIn(memory)]);
    return [...names].filter((name) => !OF_ALL.includes(name) && !name.startsWith(KEPT));
  };
  const setQueue = (answers) => (answers.length > 0 ? put("queue", answers) : drop("queue"));
  const without = (page) => store.queue.filter(({ key }) => key !== page);

  if (local === memory || own === memory) refuse();
  // Left from a time before the computer was shared.
  if (shared && local !== memory) {
    for (const name of namesIn(local)) if (!OF_ALL.includes(name)) local.removeItem(prefix + name);
  }

  const store = {
    /** Whether what is kept outlives the tab. */
    get lasting() { return lasting; },

    /** Of several tabs one writes: the last that was opened or chosen. */
    get isOwner() {
      const owner = read("owner");
      return owner === null || owner === me;
    },
    takeOver: () => put("owner", me),
    onLost(act) {
      window.addEventListener("storage", ({ key }) => key === `${prefix}owner` && !store.isOwner && act());
    },

    get: read,
    set(name, value) {
      if (store.isOwner) value === null ? drop(name) : put(name, value);
    },
    remove(name) {
      if (store.isOwner) drop(name);
    },

    /**
     * The person goes, but for answers on their way. By the address they came by they can come back, to
     * have the sound of the machine checked again: the volume is another one by then.
     */
    leave() {
      const kept = personal().filter((name) => !["welcomed", "level", "headphones", "seen"].includes(name));
      const mine = Object.fromEntries(kept.map((name) => [name, read(name)]));
      personal().forEach(drop);
      if (mine.token && mine.who && !shared) put(KEPT + mine.who, mine);
    },
    /** Whoever comes by this invitation, or this name, perhaps again. */
    enter(who) {
      const mine = { ...read(KEPT + who), who };
      drop(KEPT + who);
      for (const [name, value] of Object.entries(mine)) put(name, value);
    },
    /** Forget the person on this machine, with what they would still have sent. */
    forget() {
      const token = read("token");
      setQueue(store.queue.filter((answer) => answer.token !== token));
      personal().forEach(drop);
    },

    draft: (page) => read(`draft:${page}`) ?? {},
    setDraft(page, draft) {
      store.set(`draft:${page}`, draft);
      store.set("seen", Date.now());
    },
    dropDraft: (page) => store.remove(`draft:${page}`),

    /** Answers on their way, oldest first: {key, token, body} of a page, of another `path` with it. */
    get queue() { return read("queue") ?? []; },
    enqueue(answer) {
      if (store.isOwner) setQueue([...without(answer.key), answer]);
    },
    dequeue(key) {
      if (store.isOwner) setQueue(without(key));
    },
  };
  return store;
}
