// Elements are made here and nowhere else. Texts become text nodes: nothing is ever read as HTML.

/**
 * An element with attributes and children. A function is a listener (`onclick`), true and false
 * are attributes that are there or not, null is one that is not.
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

export const button = (text, onclick, attributes = {}) =>
  make("button", { type: "button", onclick, ...attributes }, text);

/** Paragraphs of a text that the author of the test wrote: its lines. */
export const paragraphs = (text) =>
  text.trim().split(/\n+/).filter((part) => part.trim()).map((part) => make("p", {}, part.trim()));

/** A modal dialog that resolves to the value of the button that closed it; Escape is "". */
export function ask(content, buttons) {
  return new Promise((resolve) => {
    const close = (value) => () => dialog.close(value);
    const row = buttons.map(([text, value, attributes = {}]) => button(text, close(value), attributes));
    const dialog = make("dialog", {}, content, make("p", { class: "buttons" }, row));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
