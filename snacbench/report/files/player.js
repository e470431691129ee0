// The players: all signals of a clip on one clock, heard one at a time, without a gap between them.
"use strict";

snacbench.players = (() => {
  const FADE_S = 0.005;         // a switch is a crossfade of 5 ms between signals that keep running
  const LEAD_S = 0.03;          // all signals start together this far ahead
  const LEAST_REGION_S = 0.1;
  const { $, $$, make, shown, kbps } = snacbench.tools;
  let all = null;               // what data.js brings

  // ------------------------------------------------------------------------ media of a clip

  const waiting = new Map();
  function load(number) {
    return new Promise((resolve, reject) => {
      waiting.set(number, resolve);
      const script = make("script", { src: `media/${number}.js` });
      script.onload = () => script.remove();
      script.onerror = () => reject(new Error(`media/${number}.js is missing`));
      document.head.append(script);
    });
  }

  // Scripts call snacbench.media(number)(files); a file is its length and characters of 15 bits.
  const media = (number) => (files) => waiting.get(number)(files.map((file) => file && unpack(...file)));
  function unpack(length, text) {
    const bytes = new Uint8Array(length);
    let held = 0, bits = 0, n = 0;
    for (let i = 0; i < text.length; i++) {
      held = (held << 15) | (text.charCodeAt(i) - 0x3000);
      bits += 15;
      while (bits >= 8 && n < length) bytes[n++] = (held >>> (bits -= 8)) & 255;
      held &= (1 << bits) - 1;
    }
    return bytes;
  }

  // -------------------------------------------------------------------------------- player

  // One clip at a time. Every signal has a source and a gain of its own; all sources start at the
  // same moment of the same clock and never stop for a switch, which only moves two gains. Decoding
  // needs no audio device, which may be slow to answer, or absent: it is asked for to play.
  const decoder = new OfflineAudioContext(1, 1, 48000);
  const player = {
    context: null, output: null, buffers: [], sources: [], gains: [], media: null, element: null,
    active: 0, codec: 1, offset: 0, startedAt: 0, playing: false, loop: false, region: null,

    get length() { return Math.max(0, ...this.buffers.map((b) => b ? b.duration : 0)); },
    get bounds() { return this.region || [0, this.length]; },
    get position() {
      if (!this.playing) return this.offset;
      const now = this.offset + Math.max(0, this.context.currentTime - this.startedAt);
      const [from, to] = this.bounds;
      return this.loop && now >= to ? from + (now - from) % (to - from) : Math.min(now, this.length);
    },

    async open(files) {
      const decode = (bytes) => bytes && decoder.decodeAudioData(bytes.buffer).catch(() => null);
      this.buffers = await Promise.all(files.map(decode));
      [this.offset, this.region, this.loop, this.playing] = [0, null, false, false];
    },
    start(at = this.offset) {
      this.halt();
      this.context ||= new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
      if (!this.output) (this.output = this.context.createGain()).connect(this.context.destination);
      const [from, to] = this.bounds;
      if (at < from || at >= to - 0.01) at = from;
      this.context.resume();
      const when = this.context.currentTime + LEAD_S;
      this.buffers.forEach((buffer, i) => {
        if (!buffer) return;
        const source = this.context.createBufferSource(), gain = this.context.createGain();
        Object.assign(source, { buffer, loop: this.loop, loopStart: from, loopEnd: to });
        gain.gain.value = i === this.active ? 1 : 0;
        source.connect(gain).connect(this.output);
        source.start(when, at);
        [this.sources[i], this.gains[i]] = [source, gain];
      });
      [this.offset, this.startedAt, this.playing] = [at, when, true];
    },
    halt() {
      this.sources.forEach((source) => source.stop());
      this.gains.forEach((gain) => gain.disconnect());
      [this.sources, this.gains] = [[], []];
    },
    pause() {
      this.offset = this.position;
      this.playing = false;
      this.halt();
    },
    close() {
      if (this.playing) this.pause();
      this.buffers = [];
      this.element = null;
    },
    seek(seconds) {
      const [from, to] = this.bounds;
      this.offset = Math.min(Math.max(seconds, from), Math.max(from, to - 0.02));
      if (this.playing) this.start(this.offset);
    },
    choose(index) {
      if (!this.buffers[index]) return;
      const now = this.context ? this.context.currentTime : 0;
      this.gains.forEach((gain, i) => {
        const value = gain.gain.value;
        gain.gain.cancelScheduledValues(now);
        gain.gain.setValueAtTime(value, now);
        gain.gain.linearRampToValueAtTime(i === index ? 1 : 0, now + FADE_S);
      });
      this.active = index;
      if (index > 0) this.codec = index;
    },
    setLoop(loop, region = null) {
      const at = this.position;
      [this.loop, this.region] = [loop, region];
      this.offset = at;
      if (this.playing) this.start(at);
      else this.seek(at);
    },
  };

  // --------------------------------------------------------------------------- a clip's panel

  const nameOf = (index) => index === 0 ? "Reference"
    : all.codecs[index - 1].name + (all.codecs[index - 1].demonstration ? " (demo)" : "");
  const scoreOf = (clip, codec, metric) => {
    const row = all.rowOf.get(clip * all.codecs.length + codec);
    return row === undefined || metric < 0 ? null : all.rows.scores[metric][row];
  };

  async function openClip(item, index = null) {
    if (item === player.element) return index === null ? undefined : select(index);
    if (player.element) closeClip(player.element);
    const number = Number(item.dataset.media), panel = $(".panel", item);
    item.classList.add("open");
    $(".opener", item).setAttribute("aria-expanded", "true");
    panel.hidden = false;
    panel.replaceChildren(make("p", { class: "small", role: "status" }, "Decoding …"));
    [player.element, player.media] = [item, number];
    try {
      const files = await load(number);
      if (player.element !== item) return;
      await player.open(files);
    } catch (error) {
      panel.replaceChildren(make("p", { role: "alert" }, `No audio: ${error.message}`));
      return;
    }
    if (player.element !== item) return;
    fillPanel(item, panel, number);
    const first = player.buffers.findIndex((buffer, i) => buffer && i > 0);
    player.codec = Math.max(1, first);
    select(index !== null && player.buffers[index] ? index : player.buffers[0] ? 0 : first);
    $(".play", panel).focus({ preventScroll: true });
    requestAnimationFrame(tick);
  }

  function closeClip(item) {
    player.close();
    item.classList.remove("open", "playing", "part");
    $(".opener", item).setAttribute("aria-expanded", "false");
    const panel = $(".panel", item);
    panel.hidden = true;
    panel.replaceChildren();
  }

  function fillPanel(item, panel, number) {
    const facts = all.media[number];
    panel.replaceChildren($("#panel").content.cloneNode(true));
    $(".end", panel).textContent = player.length.toFixed(1);
    $(".transcript", panel).textContent = facts.transcript || "";
    $(".facts", panel).textContent = [facts.facts, all.preview, ...facts.problems].filter(Boolean).join(" · ");
    $(".play", panel).addEventListener("click", toggle);
    $(".loop", panel).addEventListener("click", () => loop(!player.loop));
    $(".whole", panel).addEventListener("click", () => loop(true));
    fillLadder(panel, number);
    fillGallery(panel, number, facts);
    for (const plate of $$(".pane .plate", panel)) followPointer(plate);
  }

  // Models as rows, their rates as steps from low to high: each row is a ladder to climb by ear.
  // Points under conditions are folded away below them, a row for each point without.
  function fillLadder(panel, number) {
    const metric = Number($("#shown-metric").value || -1), ladder = $(".ladder", panel);
    const models = new Map([["", [0]]]), under = new Map();
    all.codecs.forEach((codec, i) => {
      const [rows, name] = codec.condition ? [under, codec.base] : [models, codec.model];
      rows.set(name, [...(rows.get(name) || []), i + 1]);
    });
    player.order = [];
    ladder.replaceChildren(...modelRows(models, number, metric));
    if ([...under.values()].flat().some((index) => player.buffers[index])) {
      ladder.append(make("details", { class: "under" }, make("summary", {}, "Under conditions"),
        make("div", { class: "ladder" }, ...modelRows(under, number, metric))));
    } else if (under.size) {
      const played = all.media.flatMap((media, i) => all.codecs.some((codec, j) => codec.condition && media.audio[j + 1])
        ? [all.clips[all.clipOf[i]].id] : []);
      ladder.append(make("p", { class: "small under" }, `Points under conditions are played on: ${played.join(", ") || "no clip"}`));
    }
    const chosen = all.metrics[metric];
    $(".about-scores", panel).textContent = chosen
      ? `On each button: the codec's mean rate and this clip's ${chosen.name}${chosen.unit ? ` in ${chosen.unit}` : ""}; ${chosen.better} is better.` : "";
    mark();
  }

  function modelRows(models, number, metric) {
    return [...models].map(([model, signals]) => {
      signals.sort((a, b) => a && b && !all.codecs[a - 1].condition ? (all.codecs[a - 1].kbps || 0) - (all.codecs[b - 1].kbps || 0) : 0);
      const demo = signals[0] && all.codecs[signals[0] - 1].demonstration ? " (demo)" : "";
      const steps = make("div", { class: "steps" }), title = model ? model + demo : "source";
      for (const index of signals) {
        steps.append(signalButton(number, model, index, player.order.length, metric));
        player.order.push(index);
      }
      return make("div", { class: "model", role: "group", "aria-label": title }, make("span", {}, title), steps);
    });
  }

  function signalButton(number, model, index, place, metric) {
    const codec = all.codecs[index - 1], point = index && codec.name.split("@").pop();
    const label = !index ? "Reference" : codec.condition ? codec.condition : codec.name === model ? kbps(codec.kbps) || model : point;
    const score = index ? scoreOf(all.clipOf[number], index - 1, metric) : null;
    const small = [index && codec.anchor ? "anchor" : index && !codec.condition && codec.name !== model ? kbps(codec.kbps) : "",
      index && metric >= 0 ? `${shown(score)}` : ""].filter(Boolean).join(" · ");
    const playable = Boolean(player.buffers[index]);
    return make("button", {
      type: "button", class: "signal", "data-signal": index, "aria-pressed": "false",
      disabled: !playable, title: playable ? nameOf(index) : `${nameOf(index)}: no audio`,
      "aria-label": [nameOf(index), small].filter(Boolean).join(", "), onclick: () => select(index),
    }, make("b", {}, label), make("i", {}, place < 10 ? `${place}` : ""),
    make("small", {}, playable ? small || "original" : "no audio"));
  }

  function fillGallery(panel, number, facts) {
    const plates = $(".plates", panel);
    $(".gallery", panel).addEventListener("toggle", () => plates.childElementCount || player.order.forEach((index) => {
      if (!facts.audio[index]) return;
      const files = [`${index}`, ...(facts.change[index] ? [`${index}-change`] : [])];
      plates.append(make("figure", {}, make("figcaption", {}, nameOf(index)), ...files.map((file) =>
        make("img", { src: `media/${number}/${file}.webp`, loading: "lazy", width: 440, height: 132,
          alt: file.endsWith("change") ? `What ${nameOf(index)} changed` : `Spectrogram of ${nameOf(index)}` }))));
    }));
  }

  function fillPanes() {
    const facts = all.media[player.media], codec = player.codec;
    const [reference, decoded, change] = $$(".pane", player.element);
    fillPane(reference, "Reference", facts.audio[0] && "0", player.active === 0, facts.marks);
    fillPane(decoded, nameOf(codec), facts.audio[codec] && `${codec}`, player.active === codec, facts.marks);
    fillPane(change, `What ${nameOf(codec)} changed`, facts.change[codec] && `${codec}-change`, false, []);
  }

  function fillPane(pane, title, file, heard, marks) {
    const plate = $(".plate", pane), source = file && `media/${player.media}/${file}.webp`;
    pane.classList.toggle("heard", heard);
    $("figcaption", pane).textContent = title;
    if (plate.dataset.source === String(source)) return;
    plate.dataset.source = source;
    plate.replaceChildren(
      source ? make("img", { src: source, alt: `${title}: spectrogram` }) : make("span", { class: "none" }, "Not at hand"),
      ...marks.map(([text, height]) => make("span", { class: "mark", style: `bottom: ${height}%`, "aria-hidden": "true" }, text)),
      make("span", { class: "region" }), make("span", { class: "needle" }));
  }

  function followPointer(plate) {
    const at = (event) => {
      const box = plate.getBoundingClientRect();
      return player.length * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    let from = null;
    plate.addEventListener("pointerdown", (event) => { from = at(event); });
    plate.addEventListener("pointercancel", () => { from = null; });
    plate.addEventListener("pointerup", (event) => {
      if (from === null) return;
      const [start, end] = [from, at(event)].sort((a, b) => a - b);
      from = null;
      if (end - start > Math.max(LEAST_REGION_S, 0.03 * player.length)) loop(true, [start, end]);
      else player.seek(end);
      mark();
    });
  }

  // ------------------------------------------------------------------------- what one can do

  function select(index) { player.choose(index); mark(); }
  function toggle() { if (player.playing) player.pause(); else player.start(); mark(); }
  function loop(on, region = null) { player.setLoop(on, region); mark(); }
  function step(by) {
    const able = player.order.filter((index) => player.buffers[index]);
    select(able[(able.indexOf(player.active) + by + able.length) % able.length]);
  }

  function mark() {
    const item = player.element;
    if (!item || !player.order || !$(".ladder", item)) return;
    item.classList.toggle("playing", player.playing);
    item.classList.toggle("part", Boolean(player.region));
    $(".word", item).textContent = player.playing ? "Pause" : "Play";
    $(".loop", item).setAttribute("aria-pressed", player.loop);
    $(".whole", item).hidden = !player.region;
    $(".hearing", item).textContent = `Hearing: ${nameOf(player.active)}`;
    for (const button of $$(".signal", item)) {
      const pressed = Number(button.dataset.signal) === player.active;
      button.setAttribute("aria-pressed", pressed);
      if (pressed && button.closest("details")) button.closest("details").open = true;
    }
    const [from, to] = player.region || [0, 0];
    item.style.setProperty("--from", from / player.length);
    item.style.setProperty("--to", to / player.length);
    fillPanes();
  }

  function tick() {
    const item = player.element;
    if (!item || !player.length) return;
    if (player.playing && !player.loop && player.position >= player.length) {
      player.pause();
      player.offset = 0;
      mark();
    }
    item.style.setProperty("--at", player.position / player.length);
    const now = $(".now", item);
    if (now) now.textContent = player.position.toFixed(1);
    requestAnimationFrame(tick);
  }

  // Digits and letters work anywhere but in fields; arrows only inside a panel, as pages scroll by
  // them; and on any button but those that play, the space bar presses that button.
  const isField = (target) => target.closest("input, select, textarea, .opener, summary, a");
  const isOther = (target) => target.closest("button:not(.play):not(.signal)");
  function onKey(event) {
    const { key, target } = event;
    if (!player.length || isField(target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if ((key === " " && isOther(target)) || (key.startsWith("Arrow") && !target.closest(".panel"))) return;
    const actions = {
      " ": toggle, ArrowUp: () => step(-1), ArrowDown: () => step(1),
      ArrowLeft: () => player.seek(player.position - 1), ArrowRight: () => player.seek(player.position + 1),
      l: () => loop(!player.loop), r: () => select(player.active === 0 ? player.codec : 0),
    };
    const digit = /^[0-9]$/.test(key) ? player.order[Number(key)] : undefined;
    const action = digit !== undefined ? () => select(digit) : actions[key] || actions[key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  }

  function filterClips() {
    const text = $("#clip-search").value.toLowerCase(), domain = $("#clip-domain").value;
    let left = 0;
    for (const item of $$(".clip")) {
      const fits = item.dataset.name.toLowerCase().includes(text) && (!domain || item.dataset.domain === domain);
      item.hidden = !fits;
      left += fits;
    }
    $("#no-clip").hidden = left > 0;
  }

  function begin(data) {
    all = data;
    if (!$("#shown-metric")) return;
    for (const button of $$(".opener")) {
      const item = button.closest(".clip");
      button.addEventListener("click", () => item === player.element ? closeClip(item) : openClip(item));
    }
    $("#clip-search").addEventListener("input", filterClips);
    $("#clip-domain").addEventListener("change", filterClips);
    $("#shown-metric").addEventListener("change", () => {
      if (player.element && player.length) fillLadder($(".panel", player.element), player.media);
    });
    document.addEventListener("keydown", onKey);
    document.addEventListener("keyup", (event) => {  // Firefox presses a button when a key comes up
      if (event.key === " " && event.target.closest(".play, .signal")) event.preventDefault();
    });
  }

  // A clip of the tables: open it where its players are, with a codec already chosen.
  async function jump(clip, codec) {
    const item = $(`.clip[data-media="${all.clips[clip].media}"]`);
    item.hidden = false;
    await openClip(item, codec + 1);
    item.scrollIntoView({ block: "start" });
  }

  return { begin, media, jump, player };
})();
snacbench.media = snacbench.players.media;
