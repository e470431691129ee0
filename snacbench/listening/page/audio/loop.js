// The part of an excerpt that is repeated: {start, end} in frames, never shorter than the least.

/** The nearest region that lies within the excerpt and is long enough. */
export function fitted({ start, end }, length, least) {
  const shortest = Math.min(least, length);
  const from = Math.max(0, Math.min(Math.round(start), length - shortest));
  const to = Math.min(length, Math.max(Math.round(end), from + shortest));
  return { start: from, end: to };
}

/** The region with one of its ends moved as near to a frame as the shortest region allows. */
export function withEnd(region, which, frame, length, least) {
  const shortest = Math.min(least, length);
  return which === "start"
    ? { ...region, start: Math.round(Math.max(0, Math.min(frame, region.end - shortest))) }
    : { ...region, end: Math.round(Math.min(length, Math.max(frame, region.start + shortest))) };
}

export const whole = (length) => ({ start: 0, end: length });
export const isWhole = ({ start, end }, length) => start === 0 && end === length;
