// The level: the listener sets the volume once, with noise as loud as the test will be.

import { pinkNoise } from "../audio/checks.js";
import { discard, liveContext, watch } from "../audio/device.js";
import { button, make, paragraphs } from "../dom.js";
import { say } from "../texts.js";
import { hearsNothing, Trouble } from "./trouble.js";

const SOFT_S = 0.015;  // time constant of switching it on and off

/**
 * A noise that can be switched on and off without a click. `onChange` hears that it did so, or a
 * `SoundError` when it does not sound.
 */
function createNoise(rateHz, onChange) {
  let gain = null, wanted = false, sounded = false, unwatch = () => {};
  const softly = (value) => gain?.gain.setTargetAtTime(value, gain.context.currentTime, SOFT_S);

  function lose(error) {
    unwatch();
    wanted = false;
    gain = null;
    discard();
    onChange(error);
  }

  async function begin() {
    const context = await liveContext(rateHz);
    if (!wanted) return;
    if (gain?.context !== context) {
      gain = new GainNode(context, { gain: 0 });
      const source = new AudioBufferSourceNode(context, { buffer: pinkNoise(context), loop: true });
      source.connect(gain).connect(context.destination);
      source.start();
    }
    unwatch();
    unwatch = watch(context, { onLost: lose });
    softly(1);
    sounded = true;
    onChange(null);
  }

  function end() {
    unwatch();
    wanted = false;
    softly(0);
  }
  return {
    get playing() { return wanted; },
    get sounded() { return sounded; },
    toggle() {
      if (wanted) {
        end();
        return onChange(null);
      }
      wanted = true;
      return begin().catch(lose);
    },
    close() {
      const ending = gain;
      end();
      onChange = () => {};
      setTimeout(() => ending?.disconnect(), 20_000 * SOFT_S);
    },
  };
}

/** Resolves once the volume is set, with a noise that did sound. */
export async function level(app) {
  while (!(await setVolume(app))) await hearsNothing(app);
}

function setVolume(app) {
  return new Promise((resolve) => {
    const trouble = new Trouble();
    const noise = createNoise(app.test.rate_hz, (error) => {
      play.textContent = say(noise.playing ? "level.stop" : "level.play");
      play.toggleAttribute("data-playing", noise.playing);
      next.disabled = !noise.sounded;
      if (error) trouble.show(error, toggle);
    });
    const toggle = () => {
      trouble.clear();
      noise.toggle();
    };
    const leave = (done) => () => {
      noise.close();
      app.close = null;
      resolve(done);
    };
    const play = button(say("level.play"), toggle, { class: "sound" });
    const next = button(say("level.next"), leave(true), { class: "main", disabled: true });
    const silent = button(say("silent.button"), leave(false), { class: "quiet" });
    app.close = () => noise.close();
    app.frame.show({
      heading: say("level.title"),
      content: [...paragraphs(say("level.text")), make("p", { class: "stage" }, play), trouble.element,
        make("p", { class: "soft" }, say("level.keep")), make("p", { class: "buttons" }, next, silent)],
      shortcuts: [{ keys: [" "], act: toggle }],
    });
  });
}
