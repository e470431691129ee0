// Play and stop, the loop, the picture of the excerpt: what all rating pages share.

import { button, make } from "../dom.js";
import { say, seconds } from "../texts.js";
import { Waveform } from "../waveform.js";
import { Trouble } from "./trouble.js";

export class Transport {
  /** `picture` is the buffer that the waveform shows, null for a plain line. */
  constructor(player, picture, announce) {
    Object.assign(this, { player, announce, frameRequest: null });
    this.waveform = new Waveform(player, picture);
    this.play = button("", () => player.toggle(), { class: "play main" });
    this.loop = button(say("loop.on"), () => this.toggleLoop(), { "aria-pressed": "true" });
    this.whole = button(say("loop.whole"), () => player.useWhole());
    this.clock = make("span", { class: "clock" });
    this.trouble = new Trouble();
    this.element = make("section", { class: "transport", "aria-label": say("transport.label") },
      this.waveform.element, this.trouble.element,
      make("div", { class: "row" }, this.play, this.loop, this.whole, this.clock));
    this.update();
  }

  /** A button of the page's own, after the others. */
  add(extra) { this.whole.after(extra); }

  toggleLoop() {
    this.player.setLooping(!this.player.looping);
    this.announce(say(this.player.looping ? "loop.is.on" : "loop.is.off"));
  }

  /** An end of the loop goes to where the sound is. */
  mark(which) {
    this.player.moveEnd(which, this.player.frame);
    const { start, end } = this.player.region;
    const [from, to] = [start, end].map((frame) => seconds(frame / this.player.rateHz));
    this.announce(say("loop.region", { from, to }));
  }

  update() {
    const { player } = this;
    this.play.textContent = say(player.playing ? "play.stop" : "play.start");
    this.play.toggleAttribute("data-playing", player.playing);
    this.loop.setAttribute("aria-pressed", String(player.looping));
    this.whole.disabled = player.hasWholeRegion;
    this.waveform.show(player.region, player.looping);
    this.tick();
  }

  /** The cursor follows the sound, by as few redraws as there are frames on the screen. */
  tick() {
    cancelAnimationFrame(this.frameRequest);
    const { player } = this, { frame } = player;
    this.waveform.showFrame(frame);
    const [now, all] = [frame / player.rateHz, player.durationS].map((value) => seconds(value));
    this.clock.textContent = say("play.clock", { now, all });
    if (player.playing) this.frameRequest = requestAnimationFrame(() => this.tick());
  }

  get shortcuts() {
    return [
      { keys: [" "], shown: [say("key.space")], help: say("keys.play"), act: () => this.player.toggle() },
      { keys: ["l"], shown: ["L"], help: say("keys.loop"), act: () => this.toggleLoop() },
      { keys: ["i"], shown: ["I"], help: say("keys.loop.start"), act: () => this.mark("start") },
      { keys: ["o"], shown: ["O"], help: say("keys.loop.end"), act: () => this.mark("end") },
      { keys: ["w"], shown: ["W"], help: say("keys.whole"), act: () => this.player.useWhole() },
    ];
  }

  close() {
    cancelAnimationFrame(this.frameRequest);
    this.waveform.close();
  }
}
