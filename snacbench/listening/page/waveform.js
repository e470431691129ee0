// The excerpt as a picture: where one is, and which part is repeated. Shows the open reference; a
// page without one has a plain line, since any other signal's picture would be a hint.

import { make } from "./dom.js";
import { say, seconds } from "./texts.js";

const STEP_S = 0.1, FINE_STEP_S = 0.01;
const DRAG_PX = 6;  // less is a click

/** Lowest and highest sample of each of `count` equal parts, over all channels. */
export function peaksOf(buffer, count) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
  const step = buffer.length / count;
  return Array.from({ length: count }, (_, i) => {
    let low = 0, high = 0;
    for (const samples of channels) {
      for (let n = Math.floor(i * step), end = Math.ceil((i + 1) * step); n < end; n++) {
        if (samples[n] < low) low = samples[n];
        if (samples[n] > high) high = samples[n];
      }
    }
    return [low, high];
  });
}

export class Waveform {
  /** `buffer` is null for a plain line. Frames go out by `player`, and come in by `show`. */
  constructor(player, buffer) {
    Object.assign(this, { player, buffer, peaks: null });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.cursor = make("div", { class: "cursor", "aria-hidden": "true" });
    this.band = make("div", { class: "band", "aria-hidden": "true" });
    this.handles = { start: this.makeHandle("start"), end: this.makeHandle("end") };
    this.track = make("div", { class: "track" }, this.canvas, this.band, this.cursor,
      this.handles.start, this.handles.end);
    const label = say("wave.label");
    this.element = make("div", { class: "waveform", role: "group", "aria-label": label }, this.track);
    this.track.addEventListener("pointerdown", (event) => this.onPointer(event));
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.track);
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.draw();
    this.scheme.addEventListener("change", this.redraw);
  }

  close() {
    this.resizing.disconnect();
    this.scheme.removeEventListener("change", this.redraw);
  }

  makeHandle(which) {
    const move = (event) => {
      const { player } = this, step = (event.shiftKey ? FINE_STEP_S : STEP_S) * player.rateHz;
      const by = { ArrowLeft: -step, ArrowRight: step, ArrowDown: -step, ArrowUp: step }[event.key];
      const to = { Home: 0, End: player.length }[event.key];
      if (by === undefined && to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      player.moveEnd(which, to ?? player.region[which] + by);
    };
    return make("div", {
      class: `handle ${which}`, role: "slider", tabindex: "0", "aria-label": say(`wave.${which}`),
      "aria-valuemin": "0", onkeydown: move,
    });
  }

  frameAt({ clientX }) {
    const { left, width } = this.track.getBoundingClientRect();
    return Math.max(0, Math.min(1, (clientX - left) / width)) * this.player.length;
  }

  /** A handle is dragged; elsewhere a click seeks and a drag marks a new region. */
  onPointer(event) {
    if (event.button !== 0) return;
    const which = Object.keys(this.handles).find((name) => this.handles[name] === event.target);
    const from = this.frameAt(event), x = event.clientX;
    const { player } = this;
    let region = which ? player.region : null;
    const move = (moved) => {
      if (!which && Math.abs(moved.clientX - x) < DRAG_PX && !region) return;
      const to = this.frameAt(moved);
      const marked = { start: Math.min(from, to), end: Math.max(from, to) };
      region = which ? player.endMoved(which, to) : player.fit(marked);
      this.show(region, true);
    };
    const done = () => {
      this.track.removeEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) this.track.removeEventListener(name, done);
      if (region) player.setRegion(region);
      else player.seek(from);
    };
    event.preventDefault();
    if (which) this.handles[which].focus();
    this.track.setPointerCapture(event.pointerId);
    this.track.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) this.track.addEventListener(name, done);
  }

  /** Show a region, and whether it is what repeats. */
  show(region, looping) {
    const { length, rateHz } = this.player;
    this.region = looping ? region : null;
    const share = (frame) => `${100 * frame / length}%`;
    this.band.hidden = !looping;
    this.band.style.left = share(region.start);
    this.band.style.right = share(length - region.end);
    for (const [which, handle] of Object.entries(this.handles)) {
      handle.hidden = !looping;
      handle.style.left = share(region[which]);
      handle.setAttribute("aria-valuemax", (length / rateHz).toFixed(2));
      handle.setAttribute("aria-valuenow", (region[which] / rateHz).toFixed(2));
      handle.setAttribute("aria-valuetext", say("wave.seconds", { s: seconds(region[which] / rateHz, 2) }));
    }
    this.draw();
  }

  showFrame(frame) {
    this.cursor.style.transform = `translateX(${(frame / this.player.length) * this.track.clientWidth}px)`;
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.track;
    const ratio = window.devicePixelRatio || 1;
    if (width === 0) return;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    const inside = style.getPropertyValue("--wave"), outside = style.getPropertyValue("--wave-outside");
    const columns = Math.floor(width / 3);
    if (this.buffer && this.peaks?.length !== columns) this.peaks = peaksOf(this.buffer, columns);
    const loudest = Math.max(0.05, ...(this.peaks ?? []).flat().map(Math.abs));
    const { start, end } = this.region ?? { start: 0, end: this.player.length };
    pen.scale(ratio, ratio);
    for (let i = 0; i < columns; i++) {
      const frame = ((i + 0.5) / columns) * this.player.length;
      pen.fillStyle = frame >= start && frame < end ? inside : outside;
      const [low, high] = this.peaks?.[i] ?? [0, 0];
      const [top, bottom] = [high, low].map((value) => (height / 2) * (1 - 0.92 * value / loudest));
      pen.fillRect(i * 3, top - 0.75, 2, bottom - top + 1.5);
    }
  }
}
