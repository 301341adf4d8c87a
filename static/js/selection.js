/* The selected rows of a list: kept through refreshes and from page to page, until another query is shown. Loaded with the first one. */

import { copyText, showToast } from "./controls.js";
import { announce, focusOn, formatNumber, texts } from "./page.js";

const KEY = "selection";
// What an address may have beside the query.
const LOOK = ["limit", "marker", "page", "sort", "columns", "density"];
const COPIED = ["ids", "names", "addresses"];
const FEWEST_COMPARED = 2;
const MOST_COMPARED = 4;

const findForm = () => document.getElementById("selection");
const findHead = () => document.querySelector("#table thead .tick input");
const listBoxes = () => [...document.querySelectorAll("#table .tick [name=id]")];

// Names the session that this page belongs to: the next person in this tab must not get what was selected before.
const owner = document.body.getAttribute("hx-headers");

const nameQuery = () => {
  const params = new URLSearchParams(location.search);
  for (const name of LOOK) params.delete(name);
  return `${location.pathname}?${params}`;
};

// `isAll`: all that match, on every page. `last` is the id that was clicked before.
let query = nameQuery();
let ids = new Set();
let isAll = false;
let last = "";

const save = () => {
  if (ids.size || isAll) sessionStorage.setItem(KEY, JSON.stringify({ owner, query, isAll, ids: [...ids] }));
  else sessionStorage.removeItem(KEY);
};

const empty = () => {
  ids.clear();
  isAll = false;
  last = "";
  save();
};

const describe = ({ dataset }, others) => {
  if (isAll) return `${dataset.whole} ${document.getElementById("matches")?.textContent ?? ""}`;
  const text = others ? dataset.elsewhere : dataset.count;
  return text.replace("{count}", formatNumber(ids.size)).replace("{others}", formatNumber(others));
};

// Brings the page in line with what is selected: after a click, and after parts of the page were replaced.
const show = () => {
  const form = findForm();
  if (!form) return;
  if (query !== nameQuery()) {
    query = nameQuery();
    empty();
  }
  const boxes = listBoxes();
  for (const box of boxes) box.checked = isAll || ids.has(box.value);
  const count = boxes.filter(({ checked }) => checked).length;
  const isWhole = count > 0 && count === boxes.length;
  const head = findHead();
  if (head) {
    head.checked = isWhole;
    head.indeterminate = count > 0 && !isWhole;
  }
  const here = new Set(boxes.map(({ value }) => value));
  const others = [...ids].filter((id) => !here.has(id));
  form.querySelector("[name=id]").value = others.join();
  form.querySelector("[name=all]").value = isAll ? "1" : "";
  form.querySelector("[value=comparison]").disabled = isAll || ids.size < FEWEST_COMPARED || ids.size > MOST_COMPARED;
  form.classList.remove("unscripted");
  form.hidden = !ids.size && !isAll;
  const all = form.querySelector("[data-all]");
  const matches = document.getElementById("matches")?.textContent;
  all.hidden = isAll || !isWhole || !matches || !document.querySelector("#pager a[rel]");
  const words = { "[data-selected]": describe(form, others.length), "[data-all]": `${all.dataset.all} ${matches}` };
  for (const [selector, text] of Object.entries(words)) {
    const place = form.querySelector(selector);
    if (place.textContent !== text) place.textContent = text;
  }
};

const note = (boxes) => {
  if (isAll && boxes.some(({ checked }) => !checked)) empty();
  for (const { checked, value } of boxes) ids[checked ? "add" : "delete"](value);
};

const tell = () => {
  save();
  show();
  announce(findForm().querySelector("[data-selected]").textContent);
};

// A checkbox was changed.
export const enhance = (box) => {
  const boxes = listBoxes();
  if (box === findHead()) for (const each of boxes) each.checked = box.checked;
  else if (boxes.includes(box)) last = box.value;
  else return;
  note(boxes);
  tell();
};

const clear = () => {
  const hadFocus = findForm().contains(document.activeElement);
  empty();
  tell();
  if (hadFocus) focusOn(findHead() || document.getElementById("main"));
};

document.addEventListener("click", ({ target, shiftKey }) => {
  const boxes = listBoxes();
  const [from, to] = [boxes.findIndex(({ value }) => value === last), boxes.indexOf(target)].sort((one, other) => one - other);
  if (shiftKey && boxes.includes(target) && from >= 0) {
    for (const box of boxes.slice(from, to)) box.checked = target.checked;
    boxes[to].checked = target.checked;
    // The browser takes it for a selection of text, too.
    getSelection().removeAllRanges();
  }
  if (target.closest("[data-clear]")) clear();
  if (target.closest("[data-all]")) {
    isAll = true;
    tell();
    focusOn(findForm().querySelector("[name=format]"));
  }
});

document.addEventListener("keydown", ({ key, target }) => {
  if (key === "Escape" && target.closest("#selection, .tick")) clear();
});

const load = async (form, submitter) => {
  const body = new URLSearchParams(new FormData(form, submitter));
  const response = await fetch(form.action, { method: "POST", body });
  const text = await response.text();
  const isText = response.headers.get("Content-Type")?.startsWith("text/plain");
  if (!response.ok || !isText) throw new Error(isText ? text : texts.notCopied);
  return text.trimEnd();
};

// Browsers let a click copy what comes later only if they get a promise of it at once.
const copyLater = (text) => {
  if (!navigator.clipboard || !window.ClipboardItem) return text.then(copyText);
  const blob = text.then((ready) => new Blob([ready], { type: "text/plain" }));
  return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
};

document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (form !== findForm() || !COPIED.includes(submitter?.value)) return;
  event.preventDefault();
  const text = load(form, submitter);
  try {
    const [ready] = await Promise.all([text, copyLater(text)]);
    showToast("toast", `${texts.copied}: ${formatNumber(ready ? ready.split("\n").length : 0)} × ${submitter.textContent}`);
  } catch (error) {
    showToast("toast-error", error instanceof DOMException ? texts.notCopied : error.message);
  }
});

// Without its styles, the form would be seen elsewhere first.
await new Promise((done) => {
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: findForm().dataset.style, onload: done, onerror: done });
  document.head.append(link);
});

const kept = JSON.parse(sessionStorage.getItem(KEY));
if (kept?.owner !== owner) sessionStorage.removeItem(KEY);
else if (kept.query === query) ({ isAll, ids } = { ...kept, ids: new Set(kept.ids) });
if (findHead()?.checked) for (const box of listBoxes()) box.checked = true;
for (const box of listBoxes()) if (box.checked) ids.add(box.value);
show();
new MutationObserver(show).observe(document.getElementById("main"), { childList: true, subtree: true });
