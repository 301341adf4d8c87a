/* Suggestions in the search box: a combobox with a list box, as in WAI-ARIA's patterns. Loaded when the box is first
   used. The server makes the options. */

import { announce } from "./page.js";
import { parse } from "./requests.js";

const PAUSE = 150;

const list = document.getElementById("suggestions");
let timer = 0;
let request = null;

const isBox = (element) => element.matches?.("[data-suggest]");
const listOptions = () => [...list.children];
const findChosen = () => list.querySelector("[aria-selected=true]");

// The server counts characters, and the browser UTF-16 units.
const countCharacters = (text) => [...text].length;
const findPlace = (text, at) => [...text].slice(0, at).join("").length;

const choose = (box, option) => {
  for (const each of listOptions()) each.setAttribute("aria-selected", String(each === option));
  if (!option) return box.removeAttribute("aria-activedescendant");
  box.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
};

const show = (box, options) => {
  list.replaceChildren(...options);
  list.hidden = !options.length;
  box.setAttribute("aria-expanded", String(!list.hidden));
  choose(box, null);
};

const close = (box) => {
  clearTimeout(timer);
  request?.abort();
  show(box, []);
};

const load = async (box) => {
  request?.abort();
  const own = new AbortController();
  request = own;
  const given = { q: box.value, at: countCharacters(box.value.slice(0, box.selectionStart)) };
  try {
    const response = await fetch(`${box.dataset.suggest}?${new URLSearchParams(given)}`, { signal: own.signal });
    const answer = parse(await response.text());
    if (request !== own || document.activeElement !== box) return;
    show(box, response.ok ? answer.querySelectorAll("[role=option]") : []);
    if (!list.hidden) announce(answer.querySelector("[data-announce]").dataset.announce);
  } catch {
    // Aborted, or the portal cannot be reached: the box works without suggestions.
  }
};

const loadSoon = (box) => {
  clearTimeout(timer);
  timer = setTimeout(() => load(box), PAUSE);
};

export const enhance = (box) => {
  if (box.hasAttribute("role")) return;
  const state = { role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" };
  for (const [name, value] of Object.entries(state)) box.setAttribute(name, value);
  // Typed before this module was there.
  if (box.value !== box.defaultValue) loadSoon(box);
};

const take = (box, { dataset: { href, text, at } }) => {
  close(box);
  if (href) return location.assign(href);
  box.value = text;
  const place = findPlace(text, at);
  box.setSelectionRange(place, place);
  // A key needs a value.
  if (place && text[place - 1] === ":") loadSoon(box);
};

const step = (box, by) => {
  if (list.hidden) return load(box);
  const options = listOptions();
  // One more place than there are options: none is chosen.
  const places = options.length + 1;
  const next = (options.indexOf(findChosen()) + 1 + by + places) % places;
  choose(box, options[next - 1]);
};

const KEYS = {
  ArrowDown: (box) => step(box, 1),
  ArrowUp: (box) => step(box, -1),
  Enter: (box) => {
    const chosen = findChosen();
    if (!chosen) return false;
    take(box, chosen);
  },
  Escape: (box) => {
    if (list.hidden) return false;
    close(box);
  },
  Tab: (box) => {
    const chosen = findChosen();
    if (chosen?.dataset.text) box.value = chosen.dataset.text;
    close(box);
    return false;
  },
};

document.addEventListener("keydown", (event) => {
  const { target: box, key } = event;
  if (!isBox(box) || event.isComposing || event.altKey || event.ctrlKey || event.metaKey || !Object.hasOwn(KEYS, key)) return;
  if (KEYS[key](box) !== false) event.preventDefault();
});
document.addEventListener("input", ({ target, isComposing }) => {
  if (!isBox(target) || isComposing) return;
  if (target.value.trim()) loadSoon(target);
  else close(target);
});
document.addEventListener("submit", ({ target }) => {
  const box = target.querySelector("[data-suggest]");
  if (box) close(box);
});
document.addEventListener("focusout", ({ target }) => {
  if (isBox(target)) close(target);
});
// The focus stays in the box.
list.addEventListener("pointerdown", (event) => event.preventDefault());
list.addEventListener("click", ({ target }) => {
  const option = target.closest("[role=option]");
  if (option) take(document.querySelector("[data-suggest]"), option);
});
