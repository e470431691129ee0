// An audio context that fails as `window.fault` says, also while it runs.
{
  const Real = window.AudioContext, { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (when, offset) {
    start.call(this, when, window.from = offset);
  };
  window.AudioContext = class extends Real {
    constructor(...given) {
      if (window.fault === "throws") throw new DOMException("no <b>rate</b>", "NotSupportedError");
      super(...given);
      window.context = this;
    }
    get state() { return window.fault === "suspended" ? "suspended" : super.state; }
    get currentTime() {
      return window.fault === "still" ? (this.stuck ??= super.currentTime) : super.currentTime;
    }
    resume() { return window.fault === "suspended" ? new Promise(() => {}) : super.resume(); }
  };
}
