// The page of a listening test in Firefox, driven by WebDriver BiDi over a WebSocket, with real clicks.
//
//   node firefox.mjs FOLDER ADDRESS [TOKEN]
//
// Without a token a listener takes part whose sound goes to a PulseAudio server in FOLDER, to a device
// that throws it away; with one there is no sound device. Prints a line per step; ends with status 1 and what the page showed where a step cannot be driven.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const [folder, address, token] = process.argv.slice(2);
const socketOfSound = join(folder, "sound.socket");
const STEP_MS = 120_000;
const heard = [];  // the page's console
const waiting = new Map();
let socket, tab, number = 0, doing = "start";

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function connect(browser) {
  return new Promise((resolve, reject) => {
    let said = "";
    setTimeout(() => reject(new Error(`it does not listen: ${said}`)), STEP_MS).unref();
    browser.on("exit", (code) => reject(new Error(`it ended with ${code}: ${said}`)));
    browser.stderr.on("data", (part) => {
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(said += part);
      if (!found) return;
      socket ??= new WebSocket(`${found[1]}/session`);
      socket.onopen = resolve;
      socket.onerror = reject;
      socket.onmessage = ({ data }) => {
        const told = JSON.parse(data);
        if (told.method === "log.entryAdded") heard.push(`${told.params.level}: ${told.params.text}`);
        waiting.get(told.id)?.(told);
      };
    });
  });
}

async function call(method, params = {}) {
  const id = ++number;
  const told = await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`no answer to ${method}`)), STEP_MS).unref();
    waiting.set(id, resolve);
    socket.send(JSON.stringify({ id, method, params }));
  });
  if (told.type === "error") throw new Error(`${method}: ${told.message}`);
  return told.result;
}

/** The value of an expression in the page, through JSON. */
async function look(expression) {
  const { result, exceptionDetails } = await call("script.evaluate", {
    expression: `JSON.stringify(${expression})`, target: { context: tab }, awaitPromise: true,
  });
  if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
  return result.type === "string" ? JSON.parse(result.value) : null;
}

async function until(expression) {
  for (const end = Date.now() + STEP_MS; Date.now() < end; await wait(50)) {
    const value = await look(expression).catch(() => null);
    if (value) return value;
  }
  throw new Error(`did not come to pass: ${expression}`);
}

/** A button by its words, or anything by a selector; and where in it, from the top left, 0 to 1. */
async function click(what, acrossX = 0.5, acrossY = 0.5) {
  const found = /^[.#]/.test(what) ? `document.querySelector(${JSON.stringify(what)})`
    : `[...document.querySelectorAll("button")].find((one) =>
        (one.getAttribute("aria-label") ?? one.innerText).startsWith(${JSON.stringify(what)}))`;
  const { x, y } = await until(`(() => {
    const one = ${found};
    if (!one || one.disabled || one.ariaDisabled === "true") return null;
    one.scrollIntoView({ block: "nearest" });
    const box = one.getBoundingClientRect();
    return { x: Math.round(box.x + ${acrossX} * box.width), y: Math.round(box.y + ${acrossY} * box.height) };
  })()`);
  await call("input.performActions", { context: tab, actions: [{
    type: "pointer", id: "mouse", actions: [
      { type: "pointerMove", x, y }, { type: "pointerDown", button: 0 }, { type: "pointerUp", button: 0 },
    ],
  }] });
}

const type = (text) => call("input.performActions", { context: tab, actions: [{
  type: "key", id: "keys", actions: [...text].flatMap((value) => [
    { type: "keyDown", value }, { type: "keyUp", value },
  ]),
}] });

const text = (words) => until(`document.querySelector("main").innerText.includes(${JSON.stringify(words)})`);

async function step(name, act) {
  doing = name;
  await act();
  console.log(name);
}

async function headphones() {
  for (let heading = "Headphone check"; heading === "Headphone check"; ) {
    await click("Play the three tones");
    await until("!document.querySelector('.tone').disabled");
    await click(".tone");
    await wait(200);
    for (const name of ["Try once more", "Go on"]) {
      const there = `[...document.querySelectorAll("button")].some((one) => one.innerText === "${name}")`;
      if (await look(there)) await click(name);
    }
    heading = await until("document.querySelector('h1')?.innerText");
  }
}

async function ratePage() {
  const count = await until("document.querySelectorAll('.column').length");
  for (let i = 1; i <= count; i++) {
    await click(`Version ${i}`);
    await until(`document.querySelectorAll(".slider")[${i - 1}].ariaDisabled === "false"`);
    await click(`.column:nth-child(${i + 1}) .slider`, 0.5, 0.25);
  }
  await click("Next");
}

async function takePart() {
  await step("welcome", () => click("Begin"));
  await step("volume", async () => {
    await click("Play noise");
    await click("The volume is set");
  });
  await step("headphones", headphones);
  await step("consent", async () => {
    await click("#agreed");
    await click("Take part");
  });
  await step("questions", async () => {
    await click("#q-age");
    await type("34");
    await look("document.querySelector('#q-phones').value = 'yes'");
    await click("Go on");
  });
  await step("rating", ratePage);
  await step("thanks", () => text("Thank you"));
}

const SILENT = "The sound does not start";

async function hearNothing() {
  await step("welcome", () => click("Begin"));
  await step("volume is told", async () => {
    await click("Play noise");
    await text(SILENT);
    if (await look("!document.querySelector('button.main[disabled]')")) throw new Error("it lets go on");
  });
  await step("the way out", async () => {
    await click("I hear nothing");
    await text("write to Ada");
  });
  await step("rating is told", async () => {
    const done = { welcomed: true, level: true, headphones: { passed: true, right: [6], of: 6 } };
    for (const [name, value] of Object.entries({ ...done, token })) {
      await look(`localStorage.setItem("snacbench:tiny:${name}", ${JSON.stringify(JSON.stringify(value))})`);
    }
    await call("browsingContext.navigate", { context: tab, url: address, wait: "complete" });
    await click("Version 1");
    await text(SILENT);
    if (await look("document.querySelector('[aria-disabled=false].slider')")) throw new Error("a slider is open");
  });
}

function startSound() {
  const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder };
  const listen = `--load=module-native-protocol-unix auth-anonymous=1 socket=${socketOfSound}`;
  const given = ["-n", "--exit-idle-time=-1", "--load=module-null-sink", listen];
  return spawn("pulseaudio", given, { env, stdio: "ignore" });
}

const sound = token ? null : startSound();
while (sound && !existsSync(socketOfSound) && sound.exitCode === null) await wait(50);
const profile = join(folder, "profile");
mkdirSync(profile);
const browser = spawn("firefox-esr", ["--headless", "--remote-debugging-port=0", "--profile", profile], {
  env: { ...process.env, PULSE_SERVER: `unix:${socketOfSound}` }, stdio: ["ignore", "ignore", "pipe"],
});
let status = 0;
try {
  await connect(browser);
  const { capabilities } = await call("session.new", { capabilities: {} });
  console.log(`${capabilities.browserName} ${capabilities.browserVersion}`);
  await call("session.subscribe", { events: ["log.entryAdded"] });
  tab = (await call("browsingContext.getTree")).contexts[0].context;
  await call("browsingContext.navigate", { context: tab, url: address, wait: "complete" });
  await (token ? hearNothing() : takePart());
  if (heard.length > 0) throw new Error("its console is not empty");
} catch (error) {
  status = 1;
  const shown = tab ? await look("document.body.innerText").catch(String) : "";
  console.log(`could not be driven: ${doing}\n${error.message}\n${shown}\n${heard.join("\n")}`);
}
browser.kill();
sound?.kill();
process.exitCode = status;
socket?.close();
