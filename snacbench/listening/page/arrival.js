// What a listener comes with: parameters of the address that the test names, and, only where the
// test records it, the families of browser and system and the time zone. Nothing else is read.

const BROWSERS = [
  ["Edge", /Edg(e|A|iOS)?\//], ["Opera", /OPR\//], ["Samsung Internet", /SamsungBrowser\//],
  ["Firefox", /Firefox\/|FxiOS\//], ["Chrome", /Chrome\/|CriOS\//], ["Safari", /Safari\//],
];
const SYSTEMS = [
  ["Android", /Android/], ["iOS", /iPhone|iPad|iPod/], ["ChromeOS", /CrOS/], ["Windows", /Windows/],
  ["macOS", /Macintosh/], ["Linux", /Linux/],
];

const familyOf = (families, agent) => families.find(([, sign]) => sign.test(agent))?.[0] ?? "other";

/** Parameters of an address that a test names, those it has. */
export function parametersOf(test, search = location.search) {
  const given = new URLSearchParams(search);
  const named = (test.address_parameters ?? []).filter((name) => given.get(name));
  return Object.fromEntries(named.map((name) => [name, given.get(name)]));
}

/** All that is kept of how a listener came; only sent once they agreed. */
export function arrivalOf(test, { search, agent = navigator.userAgent } = {}) {
  const device = test.record_device && {
    browser: familyOf(BROWSERS, agent), system: familyOf(SYSTEMS, agent),
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "",
  };
  return { ...parametersOf(test, search), ...device };
}

/** The address to go on to at the end: whatever is filled in is percent-encoded, after the host. */
export const filled = (url, values) =>
  url.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name] ?? ""));
