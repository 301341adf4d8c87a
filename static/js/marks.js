/* Rows that a refresh has changed: marked for a moment, and told in words. Loaded with the first refresh that brings something new. */

import { announce, texts } from "./page.js";

const SHOWN_FOR = 4000;
const MOST_TOLD = 3;
const MOST_NAMED = 5;
const LONGEST = 60;
const TELL_AFTER = 10_000;
const MOST_WAITING = 3;

const shorten = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST).trimEnd()}…` : text || "–");

// The texts in an element. Those next to each other need no space between them on the page.
const read = (element) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) found.push(walker.currentNode.data.trim());
  return found.filter(Boolean).join(" ");
};

// A cell as `first`, the value itself, and `all`, with what stands beside it or is folded.
const readCell = (cell) => ({ cell, first: read(cell.firstElementChild || cell), all: read(cell) });

const readRow = (row) => {
  const name = row.querySelector("th bdi");
  const cells = new Map(name && [["", { cell: name.closest("th"), first: read(name), all: read(name) }]]);
  const [head] = row.closest("table").tHead.rows;
  for (const cell of row.querySelectorAll("td:not([colspan])")) {
    // Ages change by themselves.
    if (!cell.querySelector("time")) cells.set(read(head.cells[cell.cellIndex]), readCell(cell));
  }
  return { row, name: shorten(name ? read(name) : row.dataset.instanceId), cells };
};

// The first row of each id.
const readRows = (region) => {
  const rows = new Map();
  for (const row of region.querySelectorAll("[data-instance-id]")) {
    const id = row.dataset.instanceId;
    if (id && !rows.has(id)) rows.set(id, readRow(row));
  }
  return rows;
};

const describeCell = (label, old, now) => {
  const part = old.first === now.first ? "all" : "first";
  const [before, after] = [shorten(old[part]), shorten(now[part])];
  return before === after ? label : `${before} → ${after}`;
};

// The cells that are not as they were, and that in words.
const compare = (old, now) => {
  const cells = [];
  const words = [];
  for (const [label, each] of now.cells) {
    const before = old.cells.get(label);
    if (!before || before.all === each.all) continue;
    cells.push(each.cell);
    words.push(describeCell(label, before, each));
  }
  return { cells, words: words.join(", ") };
};

const fill = (text, rows) => {
  const names = rows.slice(0, MOST_NAMED).map((each) => each.name).join(", ") + (rows.length > MOST_NAMED ? " …" : "");
  // A function, because a name may have what `replace` would take for a pattern.
  return text.replace("{count}", rows.length).replace("{names}", () => names);
};

// A background that fades, or one that is taken away again where motion is unwanted; a stronger one in `cells`.
const mark = (row, cells = []) => {
  const easing = matchMedia("(prefers-reduced-motion: reduce)").matches ? "step-end" : "ease-in";
  for (const part of [row, ...row.cells]) {
    const backgroundColor = cells.includes(part) ? "color-mix(in srgb, var(--accent) 18%, var(--accent-tint))" : "var(--accent-tint)";
    part.animate([{ backgroundColor, easing, offset: 0 }], { duration: SHOWN_FOR, id: "changed" });
  }
};

// Called before a refresh. What it returns is called afterwards: it marks the rows that are not as they were, and
// returns that in words; nothing if there were no rows, or are none now.
export const watch = (region) => {
  const before = readRows(region);
  // While the fleet is being read, rows come and go without a change.
  const isPartial = Boolean(region.querySelector("#walk"));
  return () => {
    const now = readRows(region);
    if (!before.size || !now.size) return "";
    const changed = [];
    const fresh = [];
    for (const [id, each] of now) {
      const old = before.get(id);
      const { cells, words } = old ? compare(old, each) : {};
      if (words) changed.push({ ...each, cells, words });
      else if (!old && !isPartial) fresh.push(each);
    }
    const gone = isPartial ? [] : [...before].filter(([id]) => !now.has(id)).map(([, each]) => each);
    for (const { row, cells } of changed) mark(row, cells);
    for (const { row } of fresh) mark(row);
    const said = changed.length > MOST_TOLD
      ? [fill(texts.rowsChanged, changed)]
      : changed.map((each) => `${each.name}: ${each.words}`);
    if (fresh.length) said.push(fill(texts.rowsNew, fresh));
    if (gone.length) said.push(fill(texts.rowsGone, gone));
    return said.join(". ");
  };
};

// What refreshes bring is told at most once in ten seconds. What comes sooner waits, and is told together.
let toldAt = -Infinity;
let waiting = [];
const tellWaiting = () => {
  announce(waiting.join(". "));
  waiting = [];
  toldAt = performance.now();
};
export const tell = (text) => {
  if (!text) return;
  waiting = [...waiting, text].slice(-MOST_WAITING);
  const left = toldAt + TELL_AFTER - performance.now();
  if (left <= 0) tellWaiting();
  else if (waiting.length === 1) setTimeout(tellWaiting, left);
};
