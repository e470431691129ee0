// All signals of a page on one clock, one of them heard: the heart of the page.
//
// Every signal has a source of its own. All sources start at the same sample of the same clock and
// run on through every switch, which only moves weights: there is nothing that could slip. Works on
// any BaseAudioContext; on an OfflineAudioContext its output can be checked sample by sample.
//
// Plain nodes on purpose: an AudioWorklet could do the same, but browsers have it only over https,
// and a test in a laboratory is often served over http.

/** Weights of a crossfade, from 0 to 1; with their own complement they sum to 1. */
export function raisedCosine(frames) {
  return Float32Array.from({ length: frames + 1 }, (_, i) => 0.5 - 0.5 * Math.cos(Math.PI * i / frames));
}

export class Mixer {
  /**
   * @param {BaseAudioContext} context whose rate is that of the buffers
   * @param {AudioBuffer[]} buffers of equal length
   */
  constructor(context, buffers, { fadeS = 0.005, onEnded = () => {} } = {}) {
    Object.assign(this, { context, buffers, onEnded, active: 0, voice: null, settledAt: 0 });
    this.rate = context.sampleRate;
    this.length = buffers[0].length;
    this.fadeIn = raisedCosine(Math.round(fadeS * this.rate));
    this.fadeOut = this.fadeIn.map((weight) => 1 - weight);
    this.fadeFrames = this.fadeIn.length - 1;
    this.fadeS = this.fadeFrames / this.rate;
    this.output = context.createGain();
    this.output.connect(context.destination);
  }

  /** A moment that the audio thread has not reached yet, whatever it computes ahead. */
  get soon() {
    return this.context.currentTime + 0.01 + Math.min(this.context.baseLatency ?? 0, 0.05);
  }

  onGrid(time) { return Math.ceil(time * this.rate - 1e-6) / this.rate; }

  /**
   * Hear a signal from a frame on; `loop` is null or {start, end} in frames. What sounded until
   * then fades out while this fades in.
   */
  start(index, frame, loop = null, when = this.soon) {
    const at = this.onGrid(when);
    const begin = loop && (frame < loop.start || frame >= loop.end) ? loop.start : frame;
    if (this.voice) this.release(this.voice, at);
    this.active = index;
    this.settledAt = at;
    this.voice = this.makeVoice(begin, loop, at);
    return at;
  }

  makeVoice(begin, loop, at) {
    const { context } = this;
    const edges = new GainNode(context, { gain: loop ? 0 : 1 });
    const opening = new GainNode(context), closing = new GainNode(context);
    edges.connect(opening).connect(closing).connect(this.output);
    const weights = this.buffers.map((_, i) => new GainNode(context, { gain: Number(i === this.active) }));
    const sources = this.buffers.map((buffer, i) => {
      const source = new AudioBufferSourceNode(context, { buffer });
      const [loopStart, loopEnd] = [loop?.start ?? 0, loop?.end ?? 0].map((n) => n / this.rate);
      Object.assign(source, { loop: loop !== null, loopStart, loopEnd });
      source.connect(weights[i]).connect(edges);
      source.start(at, begin / this.rate);
      return source;
    });
    const voice = { edges, closing, weights, sources, begin, loop, at };
    if (loop) sources.push(this.startEnvelope(voice));
    else sources[0].onended = () => voice === this.voice && this.finish();
    // Where a loop or a file begins, it has a fade of its own.
    if (begin > (loop ? loop.start : 0)) opening.gain.setValueCurveAtTime(this.fadeIn, at, this.fadeS);
    return voice;
  }

  /** Fades at both ends of the loop: a gain that is itself a loop, in step with the signals. */
  startEnvelope({ edges, begin, loop, at }) {
    const frames = loop.end - loop.start;
    const buffer = this.context.createBuffer(1, frames, this.rate);
    const envelope = buffer.getChannelData(0).fill(1);
    const fade = this.fadeIn.subarray(0, Math.min(this.fadeFrames, frames >> 1));
    envelope.set(fade);
    envelope.set(fade.slice().reverse(), frames - fade.length);
    const source = new AudioBufferSourceNode(this.context, { buffer, loop: true });
    source.connect(edges.gain);
    source.start(at, (begin - loop.start) / this.rate);
    return source;
  }

  /** Hear another signal at the same place: a crossfade between signals that run on. */
  select(index, when = this.soon) {
    const previous = this.active;
    this.active = index;
    if (!this.voice || index === previous) return when;
    // A switch within a crossfade waits, for at most 5 ms, until that one is through.
    const at = this.onGrid(Math.max(when, this.settledAt));
    const { weights } = this.voice;
    weights[previous].gain.setValueCurveAtTime(this.fadeOut, at, this.fadeS);
    weights[index].gain.setValueCurveAtTime(this.fadeIn, at, this.fadeS);
    this.settledAt = at + this.fadeS + 1 / this.rate;
    return at;
  }

  stop(when = this.soon) {
    if (!this.voice) return;
    this.release(this.voice, this.onGrid(when));
    this.voice = null;
  }

  release({ closing, sources }, when) {
    sources[0].onended = () => closing.disconnect();
    closing.gain.setValueCurveAtTime(this.fadeOut, when, this.fadeS);
    for (const source of sources) source.stop(when + this.fadeS);
  }

  finish() {
    this.voice.closing.disconnect();
    this.voice = null;
    this.onEnded();
  }

  /** When what sounds will end, on the clock; never in a loop. */
  get endsAt() {
    const { begin, loop, at } = this.voice;
    return loop ? Infinity : at + (this.length - begin) / this.rate;
  }

  /** Frame that is heard at a time of the clock. */
  frameAt(time = this.context.currentTime) {
    if (!this.voice) return 0;
    const { begin, loop, at } = this.voice;
    const frame = begin + Math.max(0, Math.round((time - at) * this.rate));
    if (!loop || frame < loop.end) return Math.min(frame, this.length);
    return loop.start + (frame - loop.start) % (loop.end - loop.start);
  }
}
