// The one audio context of the page, and whether anything comes of it: it may be refused, never
// begin, or stop by itself. Limits are counted in looks at the clock, not in seconds: a machine that
// was asleep, or is busy, looks less often.

const START_MS = 10, WATCH_MS = 100;  // between two looks
const PATIENCE_MS = 4000;

/**
 * Why nothing sounds: "none", no context can be had; "silent", it does not begin; "lost", its clock
 * stands still or it was closed; "changed", a device came or went.
 */
export class SoundError extends Error {
  constructor(code, why = "") {
    super(String(why?.message ?? why));
    this.code = code;
  }
}

let shared = null;
let proven = false;  // whether its clock was seen to move

/** The context at this rate; made at the first gesture, since browsers allow none before. */
function contextAt(rateHz) {
  if (shared?.state === "closed") discard();
  try {
    shared ??= new AudioContext({ sampleRate: rateHz, latencyHint: "interactive" });
  } catch (error) {
    throw new SoundError("none", error);
  }
  return shared;
}

/** Forget the context: the next one may find another device. */
export function discard() {
  if (shared && shared.state !== "closed") shared.close().catch(() => {});
  shared = null;
  proven = false;
}

/** The context, once it runs and its clock moves; rejects with a `SoundError`, and can be tried again. */
export async function liveContext(rateHz) {
  const context = contextAt(rateHz), from = context.currentTime;
  let refused = null;
  // Some browsers never answer this, some answer and play nothing: what counts is the clock.
  if (context.state !== "running") context.resume().catch((error) => { refused = error; });
  for (let looks = 0; !refused && looks < PATIENCE_MS / START_MS; looks++) {
    proven ||= context.currentTime > from;
    if (proven && context.state === "running") return context;
    await new Promise((resolve) => setTimeout(resolve, START_MS));
  }
  if (context === shared) discard();
  throw new SoundError("silent", refused ?? "");
}

/**
 * Watch a context that runs. `onTime` hears its clock; `onLost` a `SoundError`, once, when it stops by
 * itself or a device comes or goes. Returns what ends the watch.
 */
export function watch(context, { onTime = () => {}, onLost }) {
  const devices = navigator.mediaDevices;  // only there over https, and on the machine itself
  let last = context.currentTime, still = 0;
  const end = () => {
    clearInterval(timer);
    context.removeEventListener("statechange", onState);
    context.removeEventListener("error", onError);
    devices?.removeEventListener("devicechange", onDevices);
  };
  const lose = (code, why) => {
    end();
    onLost(new SoundError(code, why));
  };
  const onState = () => context.state !== "running" && lose("lost", context.state);
  const onError = () => lose("lost", "error");
  const onDevices = () => lose("changed");
  const timer = setInterval(() => {
    const now = context.currentTime;
    still = now > last ? 0 : still + 1;
    last = now;
    onTime(now);
    if (still >= PATIENCE_MS / WATCH_MS) lose("lost", "the clock stands still");
  }, WATCH_MS);
  context.addEventListener("statechange", onState);
  context.addEventListener("error", onError);
  devices?.addEventListener("devicechange", onDevices);
  return end;
}
