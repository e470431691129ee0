// What the report's player gives to the loudspeaker, as the browser's own engine computes it, sample
// by sample and at any load of the machine; `switches` are pairs of a time in s and a signal.
async ([first, switches]) => {
  const { player } = snacbench.players, live = [player.context, player.output];
  const offline = new OfflineAudioContext(1, 48000, 48000);
  offline.resume = () => Promise.resolve();  // it is not running yet
  player.context = offline;
  (player.output = offline.createGain()).connect(offline.destination);
  player.active = first;
  player.start(0);
  delete offline.resume;
  for (const [when, index] of switches) {
    offline.suspend(when).then(() => { player.choose(index); offline.resume(); });
  }
  const rendered = await offline.startRendering();
  player.pause();
  [player.context, player.output] = live;
  return [...rendered.getChannelData(0)];
}
