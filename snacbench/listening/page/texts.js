// What the page says, in the language of the test: texts/LANG.json, which the server sends.

let texts = {};

export function setTexts(ofTest, language) {
  texts = ofTest;
  document.documentElement.lang = language;
}

/** The text of a key, with {names} in it replaced; a key that is missing shows itself. */
export const say = (key, values = {}) =>
  (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** "1, 4 and 7" in the language of the page. */
export const list = (parts) =>
  new Intl.ListFormat(document.documentElement.lang, { type: "conjunction" }).format(parts.map(String));

export const seconds = (value, digits = 1) =>
  new Intl.NumberFormat(document.documentElement.lang, {
    minimumFractionDigits: digits, maximumFractionDigits: digits,
  }).format(value);
