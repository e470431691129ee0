// The level: the listener sets the volume once, with noise as loud as the test will be.

import { pinkNoise } from "../audio/checks.js";
import { liveContext } from "../audio/player.js";
import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";

const SOFT_S = 0.015;  // time constant of switching it on and off

/** A noise that can be switched on and off without a click. */
function createNoise(rateHz) {
  let gain = null, wanted = false;
  const softly = (value) => gain?.gain.setTargetAtTime(value, gain.context.currentTime, SOFT_S);

  async function begin() {
    const context = liveContext(rateHz);
    await context.resume();
    if (gain) return;
    gain = new GainNode(context, { gain: 0 });
    const source = new AudioBufferSourceNode(context, { buffer: pinkNoise(context), loop: true });
    source.connect(gain).connect(context.destination);
    source.start();
  }
  return {
    get playing() { return wanted; },
    async toggle() {
      wanted = !wanted;
      if (wanted) await begin();
      softly(Number(wanted));
    },
    close() {
      wanted = false;
      softly(0);
      setTimeout(() => gain?.disconnect(), 20_000 * SOFT_S);
    },
  };
}

export function level(app) {
  return new Promise((resolve) => {
    const noise = createNoise(app.test.rate_hz);
    const toggle = () => {
      noise.toggle();
      play.textContent = say(noise.playing ? "level.stop" : "level.play");
      play.toggleAttribute("data-playing", noise.playing);
      next.disabled = false;
    };
    const leave = () => {
      noise.close();
      app.close = null;
      resolve();
    };
    const play = button(say("level.play"), toggle, { class: "sound" });
    const next = button(say("level.next"), leave, { class: "main", disabled: true });
    app.close = () => noise.close();
    app.frame.show({
      heading: say("level.title"),
      content: [...paragraphs(say("level.text")), make("p", { class: "stage" }, play),
        make("p", { class: "soft" }, say("level.keep")), make("p", { class: "buttons" }, next)],
      shortcuts: [{ keys: [" "], act: toggle }],
    });
  });
}
