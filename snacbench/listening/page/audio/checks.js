// Sounds of the two checks before the test, computed here.

const RAMP_S = 0.1;
const NOISE_RMS_DBFS = -23.1;  // this spectrum's loudness is its RMS level, as measured

/** Pink noise of about -23 LUFS as one channel, as loud as the stimuli are; its ends meet. */
export function pinkNoise(context, durationS = 5, random = Math.random) {
  const length = Math.round(durationS * context.sampleRate);
  const buffer = context.createBuffer(1, length, context.sampleRate);
  const samples = buffer.getChannelData(0);
  // Low-passes whose corners are two octaves apart, each of the power of its band, fall by 3 dB an
  // octave together. A lap ahead leaves in them what the end of the loop will.
  const white = Float64Array.from({ length }, () => 2 * random() - 1);
  const widths = [0.0025, 0.01, 0.04, 0.16, 0.64];
  const state = widths.map(() => 0);
  for (let n = -length; n < length; n++) {
    const input = white[n < 0 ? n + length : n];
    let sum = 0;
    for (let i = 0; i < widths.length; i++) {
      state[i] += Math.sqrt(widths[i]) * input - widths[i] * state[i];
      sum += state[i];
    }
    if (n >= 0) samples[n] = sum;
  }
  const rms = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / length);
  const gain = 10 ** (NOISE_RMS_DBFS / 20) / rms;
  for (let n = 0; n < length; n++) samples[n] *= gain;
  return buffer;
}

/**
 * Trials of the headphone test of Woods et al., "Headphone screening to facilitate web-based
 * auditory experiments", Atten. Percept. Psychophys. 79, 2017: of three tones of 200 Hz one is 6 dB
 * softer, and one has its channels in antiphase. Loudspeakers cancel that one and make it seem the
 * softest; headphones do not. Each trial has the order of its tones; "quiet" is the answer. Tones last
 * 0.5 s here, not 1 s: an ear adds up loudness over 0.2 s.
 */
export function headphoneTrials(count = 6, random = Math.random) {
  const orders = [
    ["quiet", "anti", "plain"], ["quiet", "plain", "anti"], ["anti", "quiet", "plain"],
    ["plain", "quiet", "anti"], ["anti", "plain", "quiet"], ["plain", "anti", "quiet"],
  ];
  for (let i = orders.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [orders[i], orders[j]] = [orders[j], orders[i]];
  }
  return Array.from({ length: count }, (_, i) => orders[i % orders.length]);
}

/** One trial as stereo sound, and when each of its tones begins. */
export function trialSound(context, order, { toneS = 0.5, gapS = 0.25, amplitude = 0.1 } = {}) {
  const rate = context.sampleRate;
  const toneFrames = Math.round(toneS * rate), stepFrames = Math.round((toneS + gapS) * rate);
  const buffer = context.createBuffer(2, stepFrames * (order.length - 1) + toneFrames, rate);
  const [left, right] = [buffer.getChannelData(0), buffer.getChannelData(1)];
  order.forEach((kind, place) => {
    const level = amplitude * (kind === "quiet" ? 10 ** (-6 / 20) : 1);
    for (let n = 0; n < toneFrames; n++) {
      const edge = Math.min(1, n / (RAMP_S * rate), (toneFrames - 1 - n) / (RAMP_S * rate));
      const value = level * (0.5 - 0.5 * Math.cos(Math.PI * edge)) * Math.sin(2 * Math.PI * 200 * n / rate);
      left[place * stepFrames + n] = value;
      right[place * stepFrames + n] = kind === "anti" ? -value : value;
    }
  });
  return { buffer, startsS: order.map((_, place) => place * stepFrames / rate) };
}
