// Ends the tones of the headphone check at once: all of its trials would take a minute.
{
  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...when) {
    start.apply(this, when);
    if (!this.loop && this.buffer.numberOfChannels === 2) this.stop(0.01);
  };
}
