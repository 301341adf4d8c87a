/* An instance's page: marks the link of the section that is being read, and keeps the uptime right. */

import { findUnit, lang, timeUntil } from "./page.js";

const updateUptime = () => {
  for (const time of document.querySelectorAll("[data-uptime]")) {
    const seconds = -timeUntil(time.dateTime) / 1000;
    const [unit, length] = findUnit(seconds);
    const text = Math.trunc(seconds / length).toLocaleString(lang, { style: "unit", unit, unitDisplay: "long" });
    if (time.textContent !== text) time.textContent = text;
  }
};

// Of several sections side by side, and of those at the end of the page that cannot be scrolled up, the one that the
// address names.
const findCurrent = (nav, links) => {
  const line = nav.getBoundingClientRect().bottom + 24;
  const places = links.map((link) => [link, document.querySelector(link.hash).getBoundingClientRect()]);
  const isEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const above = places.filter(([, { top }]) => top <= line);
  const { top } = (above.at(-1) || places[0])[1];
  const alike = places.filter(([, each]) => (isEnd && scrollY ? each.top > line : each.top === top));
  const [current] = alike.find(([link]) => link.hash === location.hash) || alike.at(isEnd ? -1 : 0) || above.at(-1);
  return current;
};

const markCurrent = () => {
  const nav = document.getElementById("sections");
  if (!nav) return;
  const links = [...nav.querySelectorAll("a")];
  const current = findCurrent(nav, links);
  if (current.ariaCurrent) return;
  for (const link of links) link.removeAttribute("aria-current");
  current.ariaCurrent = "location";
  nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
};

let isWaiting = false;
const update = () => {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    markCurrent();
    updateUptime();
  });
};

document.addEventListener("scroll", update, { passive: true });
window.addEventListener("hashchange", update);
// A refresh takes the mark away, and the ages on the page go on once a second.
new MutationObserver(update).observe(document.getElementById("main"), { subtree: true, childList: true, attributeFilter: ["aria-current"] });
update();
