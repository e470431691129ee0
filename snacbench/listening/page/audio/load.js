// Gets all signals of a page and decodes them before the page can be used.

import { ApiError, fetchBytes } from "../api.js";

/** Decoding needs a rate, not a loudspeaker: no gesture of the listener is needed for it. */
const decoder = (rateHz) => new OfflineAudioContext(1, 1, rateHz);

const ahead = new Map();  // bytes that were fetched before they were needed, by key
let turn = 0;             // of fetching ahead: a new page ends an older one

const bytesOf = (key, token, onShare) =>
  ahead.has(key)
    ? Promise.resolve(ahead.get(key)).then((bytes) => (onShare(1), bytes))
    : fetchBytes(`api/stimuli/${key}`, { token, onShare });

/**
 * AudioBuffers of the keys; `onShare` hears from 0 to 1 how far it is. Rejects with an `ApiError`,
 * or with one of code "audio" where the browser cannot decode, or lengths differ.
 */
export async function loadSignals(keys, { token, rateHz, onShare = () => {} }) {
  turn++;
  const shares = keys.map(() => 0);
  const tell = (i) => (share) => {
    shares[i] = share;
    onShare(shares.reduce((sum, value) => sum + value, 0) / keys.length);
  };
  const files = await Promise.all(keys.map((key, i) => bytesOf(key, token, tell(i))));
  const context = decoder(rateHz);
  const buffers = await Promise.all(
    files.map((bytes) => context.decodeAudioData(bytes.slice(0)).catch((error) => {
      throw new ApiError(0, "audio", String(error.message));
    })),
  );
  if (new Set(buffers.map(({ length }) => length)).size > 1) {
    throw new ApiError(0, "audio", "The signals of this page differ in length.");
  }
  ahead.clear();
  return buffers;
}

/** Fetch the signals of the next page meanwhile; what fails is fetched again when it is needed. */
export async function loadAhead(keys, { token }) {
  const mine = ++turn;
  for (const key of keys) {
    const bytes = await fetchBytes(`api/stimuli/${key}`, { token }).catch(() => null);
    if (bytes === null || mine !== turn) return;
    ahead.set(key, bytes);
  }
}
