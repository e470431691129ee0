// What the mixer makes of signals by acts such as ["start", 0, 0, null, 0].
async ([signals, acts, frames]) => {
  const { Mixer } = await import("/page/audio/mixer.js");
  const context = new OfflineAudioContext(1, frames, 48000);
  const buffers = signals.map((samples) => {
    const buffer = context.createBuffer(1, samples.length, 48000);
    buffer.copyToChannel(Float32Array.from(samples), 0);
    return buffer;
  });
  const mixer = new Mixer(context, buffers);
  for (const [act, ...values] of acts) mixer[act](...values);
  return [...(await context.startRendering()).getChannelData(0)];
}
