// The admin's page: how far a test is, export, deletion.
//
// The token comes in the fragment, which browsers send to nobody, or is typed; it is kept until the
// tab is closed. Whatever the server says is put into the page as text, never as markup.

const EVERY_MS = 10_000;
const KEPT_AS = "snacbench:admin";

const $ = (id) => document.getElementById(id);
let token = "";
let timer = 0;
let cautions = null;

/** An element with attributes and content; text stays text. */
function make(tag, attributes = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
}

async function ask(path, method = "GET") {
  const answer = await fetch(path, {
    method, headers: { Authorization: `Bearer ${token}` }, cache: "no-store", credentials: "omit",
  });
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(error ?? `The server answered ${answer.status}`), { status: answer.status });
}

function say(text, wrong = false) {
  $("state").textContent = text;
  $("state").classList.toggle("wrong", wrong);
}

// ------------------------------------------------------------------------------------ the door

function showDoor(text = "") {
  clearTimeout(timer);
  token = "";
  sessionStorage.removeItem(KEPT_AS);
  $("main").hidden = true;
  $("door").hidden = false;
  $("token").value = "";
  $("token").focus();
  say(text, Boolean(text));
}

function enter(given) {
  token = given.trim();
  sessionStorage.setItem(KEPT_AS, token);
  refresh();
}

// -------------------------------------------------------------------------------- what is shown

function ago(utc) {
  const minutes = Math.round((Date.now() - Date.parse(utc)) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} h ago`;
  return `${Math.round(minutes / 1440)} days ago`;
}

function pagesOf(listener) {
  if (!listener.consented_utc) return "no consent yet";
  return `${listener.rated} of ${listener.planned}${listener.finished_utc ? ", finished" : ""}`;
}

const minutes = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);
const seconds = (value) => `${Number(value.toPrecision(value < 10 ? 2 : 3))} s`;
const date = (utc) => new Date(utc).toLocaleString([], { dateStyle: "short", timeStyle: "short" });

/** Cells of what was observed; empty where nothing was. */
function observed(one) {
  const right = one.headphones_right ? `, ${one.headphones_right}` : "";
  const checks = one.attention_checks && `${one.attention_failed} of ${one.attention_checks} failed`;
  const sound = one.plays && `${one.plays} plays, ${seconds(one.heard_s)}; least ${seconds(one.least_heard_s)}`;
  return [
    make("td", { title: one.started_utc }, date(one.started_utc)),
    make("td", {}, one.duration_s ? minutes(Number(one.duration_s)) : ""),
    make("td", { class: one.headphones === "passed" ? "" : "wrong" }, (one.headphones ?? "") + right),
    make("td", { class: one.attention_failed === "0" ? "" : "wrong" }, checks ?? ""),
    make("td", {}, one.page_s ? seconds(one.page_s) : ""),
    make("td", {}, sound ?? ""),
  ];
}

/** What somebody said of themselves, and came with: all of it, on as many lines as it takes. */
function saidRow(one) {
  const said = Object.entries(one).flatMap(([name, text]) => {
    const of = /^(?:question_|came_with_)(.+)$/.exec(name)?.[1];
    return of ? [make("span", {}, make("b", {}, `${of}: `), text)] : [];
  });
  return said.length > 0 ? [make("tr", { class: "said" }, make("td", { colspan: "10" }, ...said))] : [];
}

function listenerRows(listener) {
  const remove = make("button", { type: "button", "aria-label": `Delete ${listener.name}` }, "Delete");
  remove.addEventListener("click", () => askToDelete(listener.name));
  const row = make("tr", {},
    make("th", { scope: "row" }, listener.name),
    make("td", {}, pagesOf(listener)),
    ...observed(listener),
    make("td", { title: listener.last_utc }, ago(listener.last_utc)),
    make("td", {}, remove));
  return [row, ...saidRow(listener)];
}

/** What the consent text must say, and does not seem to. */
function cautionsOf({ consent, texts, address_parameters: parameters, record_device: device }) {
  const text = consent || texts["consent.text"];
  const cautions = [];
  if (device && !/browser|device|gerät/i.test(text)) {
    cautions.push("Browser, system and time zone are recorded; the consent text does not say so.");
  }
  if (parameters.length > 0 && !/prolific|mturk|mechanical turk|platform|plattform|\bid\b|kennung/i.test(text)) {
    cautions.push(`Of the address are kept: ${parameters.join(", ")}; the consent text does not say so.`);
  }
  return cautions;
}

function itemRow([item, times], most) {
  return make("tr", {},
    make("th", { scope: "row" }, item),
    make("td", { class: "number" }, String(times)),
    make("td", {}, make("meter", { min: 0, max: Math.max(most, 1), value: times, "aria-hidden": "true" })));
}

function fact(number, text) {
  return make("li", {}, make("b", {}, String(number)), make("span", {}, text));
}

function show(progress) {
  const { listeners, items, invitations, title, notes } = progress;
  $("title").textContent = document.title = title;
  const begun = listeners.filter((one) => one.consented_utc);
  const times = Object.values(items);
  $("facts").replaceChildren(
    fact(begun.length, "listeners took part"),
    fact(begun.filter((one) => one.finished_utc).length, "of them finished"),
    fact(times.reduce((sum, one) => sum + one, 0), "pages rated"),
    ...(invitations.made ? [fact(`${invitations.used}/${invitations.made}`, "invitations used")] : []));
  $("notes").replaceChildren(...[...cautions, ...notes].map((text) => make("li", {}, text)));
  $("listeners").replaceChildren(...listeners.flatMap(listenerRows));
  $("nobody").hidden = listeners.length > 0;
  $("items").replaceChildren(...Object.entries(items).map((one) => itemRow(one, Math.max(...times))));
}

async function refresh() {
  clearTimeout(timer);
  try {
    cautions ??= cautionsOf(await (await ask("api/test")).json());
    show(await (await ask("api/admin/progress")).json());
    $("door").hidden = true;
    $("main").hidden = false;
    say(`as of ${new Date().toLocaleTimeString()}`);
  } catch (error) {
    if (error.status === 401) return showDoor(error.message);
    say(error.status ? error.message : "The server does not answer; trying again", true);
  }
  timer = setTimeout(refresh, EVERY_MS);
}

// ------------------------------------------------------------------------------------- actions

function askToDelete(listener) {
  $("whom").textContent = listener;
  $("sure").returnValue = "keep";
  $("sure").dataset.listener = listener;
  $("sure").showModal();
}

$("sure").addEventListener("close", async () => {
  if ($("sure").returnValue !== "delete") return;
  try {
    await ask(`api/admin/listeners/${encodeURIComponent($("sure").dataset.listener)}`, "DELETE");
    await refresh();
  } catch (error) {
    say(error.message, true);
  }
});

async function save() {
  try {
    const answer = await ask("api/admin/export/tidy.csv");
    const address = URL.createObjectURL(await answer.blob());
    const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))?.[1];
    make("a", { href: address, download: name ?? "tidy.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  } catch (error) {
    say(error.message, true);
  }
}

$("save").addEventListener("click", save);
$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("token").value);
});

const given = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);  // no token in the address, nor in the history
if (given ?? sessionStorage.getItem(KEPT_AS)) enter(given ?? sessionStorage.getItem(KEPT_AS));
else showDoor();
