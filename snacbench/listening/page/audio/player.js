// What a listener does to the mixer: play, switch, stop, seek, loop; and what of it is counted.

import { fitted, isWhole, whole, withEnd } from "./loop.js";
import { Mixer } from "./mixer.js";

let shared = null;

/** The one context of the page; made at the first gesture, since browsers allow none before. */
export function liveContext(rateHz = 48_000) {
  shared ??= new AudioContext({ sampleRate: rateHz, latencyHint: "interactive" });
  return shared;
}

export class Player {
  /** `counts` goes on from an earlier visit: how often each signal was played, and so on. */
  constructor(buffers, { minLoopS, fadeS, rateHz, onChange, looping = true, region = null }) {
    Object.assign(this, { buffers, fadeS, rateHz, onChange, looping });
    this.length = buffers[0].length;
    this.leastLoop = Math.ceil(minLoopS * rateHz);
    this.region = region ? fitted(region, this.length, this.leastLoop) : whole(this.length);
    this.mixer = null;
    this.active = null;
    this.playing = false;
    this.wish = 0;  // counts wishes to play, so that a late answer of the browser starts nothing
  }

  get loop() { return this.looping ? this.region : null; }
  get durationS() { return this.length / this.rateHz; }

  /** Frame that is heard now; where playing would begin, while nothing plays. */
  get frame() {
    if (!this.playing || !this.mixer) return this.looping ? this.region.start : 0;
    return this.mixer.frameAt(this.mixer.context.currentTime - (this.mixer.context.outputLatency || 0));
  }

  /** Play a signal, or switch to it where another plays. */
  async play(index) {
    const switching = this.playing;
    const changed = index !== this.active;
    this.active = index;
    if (switching) {
      if (changed) this.mixer?.select(index);
      if (changed) this.onChange("heard");
      return;
    }
    await this.startAt(this.looping ? this.region.start : 0, "heard");
  }

  async startAt(frame, what) {
    const wish = ++this.wish;
    this.playing = true;
    const context = liveContext(this.rateHz);
    if (context.state !== "running") await context.resume();
    if (wish !== this.wish) return;
    this.mixer ??= new Mixer(context, this.buffers, { fadeS: this.fadeS, onEnded: () => this.stop() });
    this.mixer.start(this.active, frame, this.loop);
    this.onChange(what);
  }

  stop() {
    this.wish++;
    this.playing = false;
    this.mixer?.stop();
    this.onChange("stopped");
  }

  toggle(first = 0) {
    return this.playing ? this.stop() : this.play(this.active ?? first);
  }

  seek(frame) {
    if (this.active !== null) this.startAt(Math.max(0, Math.min(frame, this.length - 1)), "moved");
  }

  setLooping(on) {
    this.looping = on;
    this.goOn();
  }

  fit(region) { return fitted(region, this.length, this.leastLoop); }
  endMoved(which, frame) { return withEnd(this.region, which, frame, this.length, this.leastLoop); }

  setRegion(region) {
    this.region = this.fit(region);
    this.looping = true;
    this.goOn();
  }

  moveEnd(which, frame) { this.setRegion(this.endMoved(which, frame)); }

  get hasWholeRegion() { return isWhole(this.region, this.length); }
  useWhole() { this.setRegion(whole(this.length)); }

  /** The new loop takes over at the place that is heard, where that lies within it. */
  goOn() {
    const { mixer } = this;
    if (this.playing && mixer?.voice) {
      const when = mixer.soon;
      mixer.start(this.active, mixer.frameAt(mixer.onGrid(when)), this.loop, when);
    }
    this.onChange("loop");
  }

  close() {
    this.onChange = () => {};
    this.stop();
    this.mixer?.output.disconnect();
  }
}
