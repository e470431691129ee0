// How often each sound of a page was played, and for how many seconds it was heard: what the audio
// clock went through while it was the active one and its context ran. Of this the answer is made.
//
// A page of any kind asks `desk.heard.enough(key)`, `desk.heard.missing(keys)`; `desk.onSound` tells
// it "enough" when a sound has just been heard for long enough.

export class Heard {
  /**
   * `keys` of the signals, in the player's order. `kept` is {key: {plays, heard_s}} of earlier visits
   * and is counted on in place. `leastS` seconds are enough.
   */
  constructor(keys, kept, leastS) {
    Object.assign(this, { keys, kept, leastS });
  }

  of(key) { return this.kept[key] ?? { plays: 0, heard_s: 0 }; }

  /** The signal begins to sound, or is switched to. */
  play(index) {
    const { plays, heard_s } = this.of(this.keys[index]);
    this.kept[this.keys[index]] = { plays: plays + 1, heard_s };
  }

  /** So many more seconds of a signal were heard; whether it has just been heard for long enough. */
  add(index, seconds) {
    const key = this.keys[index], before = this.enough(key), { plays, heard_s } = this.of(key);
    this.kept[key] = { plays, heard_s: Math.round(1e6 * (heard_s + seconds)) / 1e6 };
    return !before && this.enough(key);
  }

  /** Whether the sound under a key may be rated; a millisecond less is forgiven. */
  enough(key) {
    const { plays, heard_s } = this.of(key);
    return plays >= 1 && heard_s >= this.leastS - 0.001;
  }

  missing(keys) { return keys.filter((key) => !this.enough(key)); }
}
