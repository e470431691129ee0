// The report's data and tables. No library, no build step, no request: what the page needs comes as
// scripts from the same folder, which call snacbench.data() once and snacbench.media() per clip.
"use strict";

const snacbench = {};

snacbench.tools = (() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Every text goes in as text: a name can hold what it likes.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== null && value !== false) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const digits = (value) => Math.abs(value) >= 1000 ? 0 : Math.abs(value) < 1 ? 3 : 2;
  const shown = (value) => typeof value === "number" ? value.toFixed(digits(value)).replace("-", "−") : value || "–";
  const kbps = (value) => value === null ? "" : `${Number(value.toPrecision(3))} kbps`;
  const arrow = (metric) => metric.better === "higher" ? "↑" : "↓";
  const options = (select, texts) =>
    select && select.append(...texts.map(([value, text]) => make("option", { value }, text)));
  return { $, $$, make, shown, kbps, arrow, options };
})();

snacbench.tables = (() => {
  const ROWS_AT_ONCE = 100;
  const EXTREMES = 3;
  const { $, $$, make, shown, arrow, options } = snacbench.tools;
  let all = null;               // what data.js brings
  const view = { column: null, descending: true, rows: [], drawn: 0, metrics: new Set() };

  // ---------------------------------------------------------------------- table of scores

  const nameOf = (codec) => codec.name + (codec.demonstration ? " (demo)" : "");
  const textOf = {
    clip: (row) => all.clips[all.rows.clip[row]].id,
    codec: (row) => nameOf(all.codecs[all.rows.codec[row]]),
    domain: (row) => all.clips[all.rows.clip[row]].domain,
  };
  const LABELS = { clip: "clip", codec: "codec", domain: "domain", kbps: "kbps" };
  const valueOf = (column, row) => column in textOf ? textOf[column](row)
    : column === "kbps" ? all.rows.kbps[row] : all.rows.scores[column][row];
  const columns = () => [...Object.keys(LABELS), ...view.metrics];

  // Rows that fit the filters, in order; what has no number comes last in either direction.
  function find() {
    const part = $("#score-clip").value.toLowerCase();
    const codec = $("#score-codec").value, domain = $("#score-domain").value;
    view.rows = all.rows.clip.map((_, row) => row).filter((row) =>
      (!codec || all.rows.codec[row] === Number(codec)) && (!domain || textOf.domain(row) === domain)
      && (!part || textOf.clip(row).toLowerCase().includes(part)));
    if (view.column === null) return;
    const sign = view.descending ? -1 : 1, isText = view.column in textOf;
    const keys = new Map(view.rows.map((row) => [row, valueOf(view.column, row)]));
    const order = new Intl.Collator(undefined, { numeric: true }).compare;
    view.rows.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (isText) return sign * order(x, y);
      const [known, other] = [typeof x === "number", typeof y === "number"];
      return known && other ? sign * (x - y) : Number(other) - Number(known);
    });
  }

  function draw() {
    find();
    const head = make("tr", {}, ...columns().map(heading));
    $("#score-table thead").replaceChildren(head);
    $("#score-table tbody").replaceChildren();
    view.drawn = 0;
    drawMore();
  }

  function heading(column) {
    const metric = all.metrics[column], sorted = view.column === column;
    const direction = sorted ? (view.descending ? " ▾" : " ▴") : "";
    const label = metric ? `${metric.name} ${arrow(metric)}` : LABELS[column];
    const title = metric ? [metric.unit, `${metric.better} is better`].filter(Boolean).join("; ") : null;
    return make("th", {
      scope: "col", title, class: column in textOf ? "name" : null,
      "aria-sort": sorted ? (view.descending ? "descending" : "ascending") : null,
    }, make("button", { type: "button", class: "sort", "data-column": column, onclick: () => sortBy(column) },
      label + direction));
  }

  function sortBy(column) {
    const first = !(column in textOf);  // numbers begin with the largest, texts with A
    view.descending = view.column === column ? !view.descending : first;
    view.column = column;
    draw();
    $(`.sort[data-column="${column}"]`).focus();
  }

  function drawMore() {
    const next = view.rows.slice(view.drawn, view.drawn + ROWS_AT_ONCE);
    $("#score-table tbody").append(...next.map((row) =>
      make("tr", {}, ...columns().map((column) => cell(column, row)))));
    view.drawn += next.length;
    const total = view.rows.length.toLocaleString("en");
    $("#score-count").textContent = `${view.drawn.toLocaleString("en")} of ${total} rows`;
    $("#score-more").hidden = view.drawn >= view.rows.length;
  }

  function cell(column, row) {
    if (column === "clip") return make("th", { scope: "row", class: "name" }, clipLink(all.rows.clip[row], all.rows.codec[row]));
    const value = valueOf(column, row);
    if (column in textOf) return make("td", { class: "name" }, value);
    if (column !== "kbps" && !all.rows.ok[row]) return make("td", { class: "status-failed" }, "failed");
    return make("td", { class: typeof value === "string" ? "state" : null }, shown(value));
  }

  // The name of a clip; where it has players, a way to them.
  function clipLink(clip, codec) {
    const { id, media } = all.clips[clip];
    if (media === null) return id;
    const title = `Listen to ${nameOf(all.codecs[codec])} on this clip`;
    return make("button", { type: "button", class: "jump", title, onclick: () => snacbench.players.jump(clip, codec) }, id);
  }

  // ------------------------------------------------------------------------ best and worst

  function drawExtremes() {
    const metric = Number($("#extremes-metric").value), values = all.rows.scores[metric] || [];
    const byCodec = all.codecs.map(() => []);
    all.rows.codec.forEach((codec, row) => typeof values[row] === "number" && byCodec[codec].push(row));
    const sign = all.metrics[metric]?.better === "higher" ? 1 : -1;
    $("#extremes-body").replaceChildren(...all.codecs.flatMap((codec, index) => {
      if (codec.condition) return [];
      const rows = byCodec[index].sort((a, b) => sign * (values[a] - values[b]));
      const lists = [rows.slice(0, EXTREMES), rows.slice(-EXTREMES).reverse()].map((some) =>
        make("td", {}, make("ol", {}, ...some.map((row) =>
          make("li", {}, make("b", {}, shown(values[row])), clipLink(all.rows.clip[row], index))))));
      return make("tr", {}, make("th", { scope: "row", class: "name" }, nameOf(codec)), ...lists);
    }));
  }

  // ---------------------------------------------------------------------------- beginning

  function fillFilters() {
    const metrics = all.metrics.map((metric, i) => [i, `${metric.name} ${arrow(metric)}`]);
    const domains = [...new Set(all.clips.map((clip) => clip.domain))].map((domain) => [domain, domain]);
    const codecs = all.codecs.map((codec, i) => [i, nameOf(codec)]);
    for (const id of ["#shown-metric", "#extremes-metric"]) options($(id), metrics);
    for (const id of ["#clip-domain", "#score-domain"]) options($(id), domains);
    options($("#score-codec"), codecs);
    all.metrics.forEach((metric, i) => {
      view.metrics.add(i);
      const box = make("input", { type: "checkbox", checked: true, onchange: () => {
        box.checked ? view.metrics.add(i) : view.metrics.delete(i);
        view.metrics = new Set([...view.metrics].sort((a, b) => a - b));
        draw();
      } });
      $("#score-metrics").append(make("label", {}, box, metric.name));
    });
  }

  function listen() {
    $("#score-clip").addEventListener("input", draw);
    for (const id of ["#score-codec", "#score-domain"]) $(id).addEventListener("change", draw);
    $("#score-more").addEventListener("click", drawMore);
    $("#extremes-metric").addEventListener("change", drawExtremes);
  }

  // One table of a group at a time; without scripts all of them are there.
  function beginTabs() {
    const buttons = $$("[data-tab]");
    const choose = (chosen) => buttons.forEach((button) => {
      button.setAttribute("aria-pressed", button === chosen);
      $(`#${button.dataset.tab}`).hidden = button !== chosen;
    });
    buttons.forEach((button) => button.addEventListener("click", () => choose(button)));
    if (buttons.length) choose(buttons[0]);
  }

  // The section that is being read, in the navigation.
  function followReader() {
    const links = new Map($$("nav a").map((link) => [link.hash.slice(1), link]));
    const seen = new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting).forEach((entry) => {
      links.forEach((link, id) => id === entry.target.id
        ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
    }), { rootMargin: "-20% 0px -70% 0px" });
    $$("main > section").forEach((section) => seen.observe(section));
  }

  function begin(data) {
    all = data;
    fillFilters();
    listen();
    beginTabs();
    followReader();
    draw();
    drawExtremes();
  }
  return { begin };
})();

// data.js calls this, after both scripts.
snacbench.data = (data) => {
  data.rowOf = new Map(data.rows.clip.map((clip, row) => [clip * data.codecs.length + data.rows.codec[row], row]));
  data.clipOf = [];
  data.clips.forEach((clip, index) => { if (clip.media !== null) data.clipOf[clip.media] = index; });
  snacbench.tables.begin(data);
  snacbench.players.begin(data);
  document.documentElement.dataset.ready = "true";
};
