// What a listener does to the mixer: play, switch, stop, seek, loop; and how long each signal is heard.

import { discard, liveContext, watch } from "./device.js";
import { fitted, isWhole, whole, withEnd } from "./loop.js";
import { Mixer } from "./mixer.js";

export class Player {
  /**
   * `onChange` hears what happened ("heard": a signal begins, "stopped", "moved", "loop");
   * `onSeconds` a signal's index and how much more of the audio clock it has had; `onTrouble` a
   * `SoundError` when nothing sounds, after which `goOn` tries again.
   */
  constructor(buffers, settings) {
    const { minLoopS, fadeS, rateHz, onChange, looping = true, region = null } = settings;
    const { onSeconds = () => {}, onTrouble = () => {} } = settings;
    Object.assign(this, { buffers, fadeS, rateHz, onChange, onSeconds, onTrouble, looping });
    this.length = buffers[0].length;
    this.leastLoop = Math.ceil(minLoopS * rateHz);
    this.region = region ? fitted(region, this.length, this.leastLoop) : whole(this.length);
    this.mixer = null;
    this.active = null;
    this.playing = false;
    this.since = this.until = 0;  // what of the audio clock the active signal has, and is yet to tell
    this.lostAt = null;  // the frame at which sound stopped by itself
    this.unwatch = () => {};
    this.wish = 0;  // counts wishes to play, so that a late answer of the browser starts nothing
  }

  get loop() { return this.looping ? this.region : null; }
  get durationS() { return this.length / this.rateHz; }

  /** Whether a signal sounds, and not only should. */
  get sounding() { return this.playing && Boolean(this.mixer?.voice); }

  /** Frame that is heard now; where playing would begin, while nothing plays. */
  get frame() {
    if (!this.sounding) return this.lostAt ?? (this.looping ? this.region.start : 0);
    return this.mixer.frameAt(this.mixer.context.currentTime - (this.mixer.context.outputLatency || 0));
  }

  /** Play a signal, or switch to it where another plays. */
  async play(index) {
    const changed = index !== this.active;
    if (this.sounding) {
      if (!changed) return;
      this.tell();
      this.active = index;
      this.since = this.mixer.select(index);
      this.onChange("heard");
      return;
    }
    this.active = index;
    if (!this.playing) await this.startAt(this.looping ? this.region.start : 0, "heard");
  }

  async startAt(frame, what) {
    const wish = ++this.wish;
    this.playing = true;
    let context;
    try {
      context = await liveContext(this.rateHz);
    } catch (error) {
      if (wish === this.wish) this.lose(error, frame);
      return;
    }
    if (wish !== this.wish) return;
    this.lostAt = null;
    if (this.mixer?.context !== context) this.mixer = this.makeMixer(context);
    this.begin(frame);
    this.unwatch();
    this.unwatch = watch(context, {
      onTime: () => this.tell(), onLost: (error) => this.lose(error, this.frame),
    });
    this.onChange(what);
  }

  makeMixer(context) {
    const mixer = new Mixer(context, this.buffers, {
      fadeS: this.fadeS, onEnded: () => mixer === this.mixer && this.stop(),
    });
    return mixer;
  }

  begin(frame, when = this.mixer.soon) {
    this.tell();
    this.since = this.mixer.start(this.active, frame, this.loop, when);
    this.until = this.mixer.endsAt;
  }

  /** Tell how long the active signal was heard since the last time. */
  tell() {
    const now = Math.min(this.mixer?.context.currentTime ?? 0, this.until);
    if (now <= this.since) return;
    const seconds = now - this.since;
    this.since = now;
    this.onSeconds(this.active, seconds);
  }

  stop() {
    this.wish++;
    this.unwatch();
    this.tell();
    this.until = 0;
    this.playing = false;
    this.mixer?.stop();
    this.onChange("stopped");
  }

  /** Nothing sounds though it should: stop, let go of the device, and say so. */
  lose(error, frame) {
    this.wish++;
    this.unwatch();
    this.tell();
    this.until = 0;
    this.playing = false;
    this.mixer = null;
    this.lostAt = frame;
    discard();
    this.onChange("stopped");
    this.onTrouble(error);
  }

  /** After trouble: the same signal, from where it was. */
  goOn() {
    if (!this.playing) this.startAt(this.frame, "heard");
  }

  toggle(first = 0) {
    return this.playing ? this.stop() : this.play(this.active ?? first);
  }

  seek(frame) {
    if (this.active !== null) this.startAt(Math.max(0, Math.min(frame, this.length - 1)), "moved");
  }

  setLooping(on) {
    this.looping = on;
    this.renew();
  }

  fit(region) { return fitted(region, this.length, this.leastLoop); }
  endMoved(which, frame) { return withEnd(this.region, which, frame, this.length, this.leastLoop); }

  setRegion(region) {
    this.region = this.fit(region);
    this.looping = true;
    this.renew();
  }

  moveEnd(which, frame) { this.setRegion(this.endMoved(which, frame)); }

  get hasWholeRegion() { return isWhole(this.region, this.length); }
  useWhole() { this.setRegion(whole(this.length)); }

  /** The new loop takes over at the place that is heard, where that lies within it. */
  renew() {
    const { mixer } = this;
    if (this.playing && mixer?.voice) {
      const when = mixer.soon;
      this.begin(mixer.frameAt(mixer.onGrid(when)), when);
    }
    this.onChange("loop");
  }

  close() {
    this.onChange = () => {};
    this.stop();
    this.mixer?.output.disconnect();
  }
}
