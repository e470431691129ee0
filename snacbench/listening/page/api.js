// Talks to the server. The token travels in a header, never in an address or a cookie.

const PATIENCE_MS = 20_000;
const STALL_MS = 10_000;  // without a byte of a sound

/** `status` is 0 where no answer came at all; the message is a sentence for the listener. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfterS = 0) {
    super(message);
    Object.assign(this, { status, code, retryAfterS });
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

async function request(method, path, { token, body, signal }) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method, headers, signal, cache: "no-store", credentials: "omit" };
  if (body !== undefined) options.body = JSON.stringify(body);
  const answer = await fetch(path, options).catch((error) => {
    throw new ApiError(0, "offline", String(error.message));
  });
  if (answer.ok) return answer;
  const { error, code } = await answer.json().catch(() => ({}));
  const wait = Number(answer.headers.get("Retry-After")) || 0;
  throw new ApiError(answer.status, code ?? "", error ?? `${answer.status}`, wait);
}

/** The JSON answer of a request, null where it has none. Rejects with an `ApiError`. */
export async function call(method, path, { token, body } = {}) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  try {
    const answer = await request(method, path, { token, body, signal: stop.signal });
    const text = await answer.text();
    return text ? JSON.parse(text) : null;
  } catch (error) {
    throw error instanceof ApiError ? error : new ApiError(0, "offline", String(error.message));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The bytes of a stimulus; `onShare` hears from 0 to 1 how much of it has come. Where no byte comes
 * for `STALL_MS`, it rejects with an `ApiError` of code "stalled", and "broken" where it ends early.
 */
export async function fetchBytes(path, { token, onShare = () => {} }) {
  const stop = new AbortController();
  const parts = [];
  let timer = null, stalled = false, length = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { stalled = true; stop.abort(); }, STALL_MS);
  };
  wait();
  try {
    const answer = await request("GET", path, { token, signal: stop.signal });
    const total = Number(answer.headers.get("Content-Length")) || 0;
    for (let reader = answer.body.getReader(); ;) {
      wait();
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      length += value.length;
      if (total) onShare(Math.min(1, length / total));
    }
  } catch (error) {
    if (stalled) throw new ApiError(0, "stalled", String(error.message));
    throw error instanceof ApiError ? error : new ApiError(0, "broken", String(error.message));
  } finally {
    clearTimeout(timer);
  }
  onShare(1);
  return new Blob(parts).arrayBuffer();
}
