// Ends the tones of the headphone check at once, and leaves its trials in the order that they have in
// the source: the softest tone is the first one twice, then the second, then the third.
{
  Math.random = () => 0.9999;
  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...when) {
    start.apply(this, when);
    if (!this.loop && this.buffer.numberOfChannels === 2) this.stop(0.01);
  };
}
