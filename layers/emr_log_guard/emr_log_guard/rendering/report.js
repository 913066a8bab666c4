"use strict";
// Sorts and filters the table of clusters. Without it the page is the same, and the table is whole.
// Rows beyond the first ones are hidden from the start: to lay all of them out takes seconds.
document.documentElement.classList.add("js");
addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("clusters-table");
  const page = Number(table.dataset.page);
  const form = document.getElementById("filter");
  const status = document.getElementById("status");
  const more = document.getElementById("more");
  const number = new Intl.NumberFormat("en");
  const clusters = Array.from(table.tBodies, (body, at) => ({ body, at, text: null }));
  let order = clusters;
  let room = page;

  function textOf(cluster) {
    if (cluster.text === null) {
      const parts = cluster.body.querySelectorAll("th, td:not(.findings), summary, .reason");
      cluster.text = Array.from(parts, (part) => part.textContent).join(" ").toLowerCase();
    }
    return cluster.text;
  }

  function matches(cluster, asked) {
    const { result, severity, rules, place } = cluster.body.dataset;
    return (!asked.result || result === asked.result)
      && Number(severity) >= Number(asked.severity || 0)
      && (!asked.rule || rules.split(" ").includes(asked.rule))
      && (!asked.place || place === asked.place)
      && asked.words.every((word) => textOf(cluster).includes(word));
  }

  function set(body, name, on) {
    if (body.classList.contains(name) !== on) body.classList.toggle(name, on);
  }

  function show() {
    const asked = Object.fromEntries(new FormData(form));
    asked.words = asked.text.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const cluster of order) {
      const fits = matches(cluster, asked);
      if (fits) found += 1;
      set(cluster.body, "out", !fits);
      set(cluster.body, "later", fits && found > room);
    }
    const shown = Math.min(found, room);
    const [of, all, few] = [found, clusters.length, shown].map((each) => number.format(each));
    const cut = shown < found ? `, ${few} of them shown` : "";
    status.textContent = found === clusters.length
      ? `${all} clusters${cut}` : `${of} of ${all} clusters match${cut}`;
    more.hidden = shown === found;
    more.textContent = `Show ${number.format(Math.min(page, found - shown))} more`;
  }

  function keyOf(cluster, column) {
    const cell = cluster.body.rows[0].cells[column.cellIndex];
    const key = cell.dataset.sort ?? cell.textContent.toLowerCase();
    return column.classList.contains("number") ? Number(key) : key;
  }

  function sort(column) {
    const was = column.getAttribute("aria-sort");
    const turned = was === "ascending" ? "descending" : "ascending";
    const next = was === "none" ? column.dataset.first ?? "ascending" : turned;
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    column.setAttribute("aria-sort", next);
    const sign = next === "ascending" ? 1 : -1;
    const keyed = clusters.map((cluster) => ({ cluster, key: keyOf(cluster, column) }));
    keyed.sort((a, b) => sign * ((a.key > b.key) - (a.key < b.key)) || a.cluster.at - b.cluster.at);
    order = keyed.map(({ cluster }) => cluster);
    show();
    const sorted = new DocumentFragment();
    for (const { body } of order) sorted.append(body);
    table.append(sorted);
  }

  for (const column of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...column.childNodes);
    button.addEventListener("click", () => sort(column));
    column.append(button);
    column.setAttribute("aria-sort", "none");
  }
  function start() {
    room = page;
    show();
  }
  form.addEventListener("input", start);
  form.addEventListener("reset", () => setTimeout(start));
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    room += page;
    show();
  });
  if (!CSS.supports("selector(::details-content)")) {
    addEventListener("beforeprint", () => {
      for (const each of table.querySelectorAll("details")) each.open = true;
    });
  }
  form.hidden = false;
  show();
});
