// Noise and tones of the checks before the test.
async () => {
  const { pinkNoise, headphoneTrials, trialSound } = await import("/page/audio/checks.js");
  const context = new OfflineAudioContext(1, 1, 48000);
  const times = { toneS: 0.4, gapS: 0.1 };
  const { buffer, startsS } = trialSound(context, ["quiet", "anti", "plain"], times);
  const channels = [0, 1].map((c) => [...buffer.getChannelData(c)]);
  const noise = [...pinkNoise(context, 2).getChannelData(0)];
  return { noise, trials: headphoneTrials(6), channels, startsS };
}
