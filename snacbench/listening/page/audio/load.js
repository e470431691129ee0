// Gets all signals of a page and decodes them before the page can be used.

import { ApiError, fetchBytes } from "../api.js";

const TRIES = 3, PAUSE_MS = 1000;

const fetched = new Map();  // {bytes, share} by key: bytes are a promise of what is there or on its way
let turn = 0;               // of fetching ahead: a new page ends an older one
let listen = () => {};      // whoever waits now: hears that a share has changed, or of a new try

/** A download that stalls or breaks off is tried again; what is refused, or without a network, is not. */
async function bytesOf(key, token, onShare) {
  for (let tried = 1; ; tried++) {
    try {
      return await fetchBytes(`api/stimuli/${key}`, { token, onShare });
    } catch (error) {
      if (!["stalled", "broken"].includes(error.code) || tried === TRIES) throw error;
      onShare(0);
      listen({ tried: tried + 1, of: TRIES });
      await new Promise((resolve) => setTimeout(resolve, tried * PAUSE_MS));
    }
  }
}

/** The bytes of a key, which are fetched once, however often they are asked for; a failure is not kept. */
function fetchOnce(key, token) {
  if (!fetched.has(key)) {
    const entry = { share: 0 };
    entry.bytes = bytesOf(key, token, (share) => {
      entry.share = share;
      listen();
    });
    entry.bytes.catch(() => fetched.get(key) === entry && fetched.delete(key));
    fetched.set(key, entry);
  }
  return fetched.get(key).bytes;
}

/** What was begun earlier, and fails now, is fetched anew. */
const needed = (key, token) => {
  const earlier = fetched.has(key);
  return fetchOnce(key, token).catch((error) => {
    if (earlier) return fetchOnce(key, token);
    throw error;
  });
};

/** Decoding needs a rate, not a loudspeaker: no gesture of the listener is needed for it. */
async function decode(keys, files, rateHz) {
  let context;
  try {
    context = new OfflineAudioContext(1, 1, rateHz);
  } catch (error) {
    throw new ApiError(0, "audio", String(error.message));
  }
  return Promise.all(files.map((bytes, i) => context.decodeAudioData(bytes.slice(0)).catch((error) => {
    fetched.delete(keys[i]);
    throw Object.assign(new ApiError(0, "audio", String(error.message)), { sound: i + 1 });
  })));
}

/**
 * AudioBuffers of the keys; `onShare` hears from 0 to 1 how far it is, `onAgain` which try of how many
 * begins. Rejects with an `ApiError`, or with one of code "audio" where the browser cannot decode
 * (`sound` counts from 1), or lengths differ. What has come by then is kept for the next time.
 */
export async function loadSignals(keys, { token, rateHz, onShare = () => {}, onAgain = () => {} }) {
  turn++;
  for (const key of fetched.keys()) if (!keys.includes(key)) fetched.delete(key);
  listen = (again) => {
    if (again) onAgain(again);
    onShare(keys.reduce((sum, key) => sum + (fetched.get(key)?.share ?? 0), 0) / keys.length);
  };
  try {
    const files = await Promise.all(keys.map((key) => needed(key, token)));
    const buffers = await decode(keys, files, rateHz);
    fetched.clear();
    if (new Set(buffers.map(({ length }) => length)).size > 1) {
      throw new ApiError(0, "audio", "The signals of this page differ in length.");
    }
    return buffers;
  } finally {
    listen = () => {};
  }
}

/** Fetch the signals of the next page meanwhile; what fails is fetched again when it is needed. */
export async function loadAhead(keys, { token }) {
  const mine = ++turn;
  for (const key of keys) {
    if (mine !== turn || await fetchOnce(key, token).then(() => false, () => true)) return;
  }
}
