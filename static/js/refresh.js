/* Auto-refresh of an open list or instance, and the end of the session. docs/pages.md says when a page is refreshed. */

import { announce, copyTemplate, formatNumber, setClock, showNotice, texts, timeUntil, updateTimes } from "./page.js";
import { isRefresh, noteFocus, parse, restoreFocus } from "./requests.js";

// In seconds, except DUE_AFTER in milliseconds, the delay before a cached page is revalidated.
const QUICK_FOR = 120;
const IDLE_AFTER = 600;
const LONGEST = 300;
const SLOW_AFTER = 3;
const DUE_AFTER = 300;
const WARN_SECONDS = 180;

const secondsSince = (moment) => (performance.now() - moment) / 1000;

// The session ends `idle` seconds after the last request by a person. Tabs share a session and notify each other.

const { idle } = document.body.dataset;
const otherTabs = new BroadcastChannel("seen");
let seenAt = performance.now();
const noteSeen = () => {
  seenAt = performance.now();
  otherTabs.postMessage("");
};
otherTabs.addEventListener("message", () => { seenAt = performance.now(); });
const countSecondsLeft = () => idle - secondsSince(seenAt);
const hasEnded = () => countSecondsLeft() <= 0;

const watchSession = () => {
  const place = document.getElementById("session");
  if (!idle || !place) return;
  const left = countSecondsLeft();
  const name = left <= 0 ? "session-ended" : left <= WARN_SECONDS ? "session-ending" : "";
  if ((place.dataset.shown || "") !== name) {
    place.dataset.shown = name;
    showNotice(place, name && copyTemplate(name), document.getElementById("main"));
    htmx.process(place);
    const signIn = place.querySelector("a");
    if (signIn) signIn.href = location.href;
  }
  const count = place.querySelector("[data-left]");
  if (count) count.textContent = Math.ceil(left / 60);
};

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && !isRefresh(detail)) noteSeen();
  watchSession();
});
if (idle) noteSeen();

// Merging: elements stay as they are, with their focus and scroll position, and only what is different changes.

// Attributes that are set here and not by the server
const LOCAL = ["open", "data-copied", "data-dismissed"];

// A link that leads elsewhere is another link, and not the same one with another text.
const identify = (node) =>
  [node.nodeName, node.id, ...["href", "data-copy"].map((name) => node.getAttribute?.(name))].join(" ");

const merge = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  for (const name of old.getAttributeNames()) {
    if (!fresh.hasAttribute(name) && !LOCAL.includes(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !LOCAL.includes(name)) old.setAttribute(name, value);
  }
  const left = Map.groupBy(old.childNodes, identify);
  const nodes = [...fresh.childNodes].map((child) => {
    const same = left.get(identify(child))?.shift();
    if (same) merge(same, child);
    return same || child;
  });
  for (const node of [...left.values()].flat()) node.remove();
  let next = old.firstChild;
  for (const node of nodes) {
    if (node === next) next = next.nextSibling;
    else old.insertBefore(node, next);
  }
};

const mergeRegion = (region, content, marks) => {
  const describe = marks?.watch(region);
  const said = region.dataset.announce;
  const title = content.querySelector("title").textContent;
  // What is invalid in the URL stays so, whatever a refresh of the rest brings.
  document.title = document.getElementById("refused") ? mark(title) : title;
  const apart = content.querySelectorAll("[hx-swap-oob]");
  noteFocus(region);
  merge(region, content.getElementById(region.id));
  for (const part of apart) {
    part.removeAttribute("hx-swap-oob");
    document.getElementById(part.id)?.replaceWith(part);
  }
  htmx.process(region);
  restoreFocus(region);
  const now = region.dataset.announce;
  (marks?.tell || announce)(describe?.() || (now !== said && now));
};

// Auto-refresh

let live = null;
let isDue = false;
let isPaused = false;
let failures = 0;
let answeredAt = 0;
let sentAt = null;
let lastInput = performance.now();
let pending = { name: "", since: 0 };

const isQuick = () => Boolean(live.dataset.pending) && secondsSince(pending.since) < QUICK_FOR;

// When the next refresh is due: exponential backoff after failures, and never before ByCloud's retry time.
const findNext = () => {
  const { every, quick, retryAt, steady } = live.dataset;
  const allowedAt = retryAt ? performance.now() + timeUntil(retryAt) : 0;
  if (isDue) return answeredAt + DUE_AFTER;
  if (every === "0") return Infinity;
  if (steady !== undefined && allowedAt) return Math.max(allowedAt, answeredAt + 1000);
  const seconds = failures ? Math.min(every * 2 ** (failures - 1), LONGEST) : isQuick() ? quick : every;
  return Math.max(answeredAt + seconds * 1000, allowedAt);
};

const noteAnswer = () => {
  const { error, steady } = live.dataset;
  answeredAt = performance.now();
  failures = error && steady === undefined ? failures + 1 : 0;
};

const readState = () => {
  live = document.getElementById("live");
  if (!live) return;
  const { due, now, pending: name = "" } = live.dataset;
  setClock(now);
  noteAnswer();
  isPaused = sessionStorage.getItem("paused") === "1";
  isDue = due !== undefined;
  if (isDue) setTimeout(run, DUE_AFTER);
  if (name !== pending.name) pending = { name, since: performance.now() };
};

const isSelecting = (region) => {
  const selection = getSelection();
  return selection.rangeCount > 0 && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(region);
};

const write = (place, text) => {
  if (place && place.textContent !== text) place.textContent = text;
};

const showStatus = (name, seconds) => {
  write(document.querySelector("[data-live-status]"), texts[name].replace("{seconds}", seconds));
  write(document.querySelector("[data-live-pause]"), isPaused ? texts.resume : texts.pause);
  for (const line of document.querySelectorAll("[data-next-try]")) {
    line.hidden = name !== "liveFailing";
    line.textContent = texts.nextTry.replace("{seconds}", seconds);
  }
};

// Shows the state, and sends a refresh if it is time.
const run = () => {
  if (!live) return;
  const { every, quick, error, steady } = live.dataset;
  const seconds = Math.max(0, Math.ceil((findNext() - performance.now()) / 1000));
  // A cached page with this error refreshes once, because the same token may be valid by now.
  const isStopped = error === "rejected" && !isDue;
  const isIdle = secondsSince(lastInput) > IDLE_AFTER;
  const isWaiting = isSelecting(document.querySelector(live.getAttribute("hx-target")));
  // Only pages with auto-refresh have the button that resumes it.
  const isResting = isPaused && every !== "0";
  if (isStopped) showStatus("liveStopped");
  else if (hasEnded()) showStatus("liveEnded");
  else if (isResting) showStatus("livePaused");
  else if (sentAt && secondsSince(sentAt) > SLOW_AFTER) showStatus("liveAsking");
  else if (every === "0") showStatus("liveByHand");
  else if (isIdle) showStatus("liveIdle");
  else if (isWaiting && seconds === 0) showStatus("liveHeld");
  else if (failures || steady !== undefined) showStatus("liveFailing", seconds);
  else if (isQuick()) showStatus("liveQuick", quick);
  else showStatus("liveEvery", every);
  if (document.hidden || sentAt || isStopped || hasEnded() || isResting || isIdle || isWaiting) return;
  if (performance.now() < findNext()) return;
  isDue = false;
  answeredAt = performance.now();
  htmx.trigger(live, "portal:refresh");
};

// Only the faster refresh of a changing page accepts data from less than the usual cache time.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt === live && isQuick()) detail.headers["Portal-Refresh"] = "quick";
});

document.addEventListener("htmx:beforeSend", ({ detail }) => {
  if (!isRefresh(detail)) return;
  sentAt = performance.now();
  detail.xhr.addEventListener("loadend", () => { sentAt = null; });
});

// The mark that the server puts before the title of a page on which something is wrong
const MARK = "⚠\uFE0E ";
let marked = "";
const mark = (title) => (title.startsWith(MARK) ? title : MARK + title);

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.xhr.status === 204 && document.title === marked) document.title = marked.slice(MARK.length);
});
document.addEventListener("portal:failed", ({ detail }) => {
  if (!isRefresh(detail)) return;
  failures += 1;
  if (!document.title.startsWith(MARK)) document.title = marked = mark(document.title);
});

document.addEventListener("htmx:beforeSwap", async ({ detail }) => {
  const { serverResponse, target } = detail;
  if (!detail.shouldSwap || !isRefresh(detail)) return;
  detail.shouldSwap = false;
  const marks = await import(texts.marks).catch(() => null);
  if (!target.isConnected) return;
  if (isSelecting(target)) {
    isDue = true;
    return;
  }
  mergeRegion(target, parse(serverResponse), marks);
  readState();
  updateTimes();
  run();
});

const showRateLimit = ({ minute, hour, external }) => {
  const menu = document.getElementById("rate-limit");
  const [minuteUsed, minuteLimit] = minute;
  const [hourUsed, hourLimit] = hour;
  for (const [name, value] of Object.entries({ minuteUsed, minuteLimit, hourUsed, hourLimit, external })) {
    for (const place of menu.querySelectorAll(`[data-${name.replace(/[A-Z]/, "-$&")}]`)) place.textContent = formatNumber(value);
  }
  const share = Math.max(minuteUsed / minuteLimit, hourUsed / hourLimit);
  menu.classList.toggle("is-high", share >= 0.8);
  menu.classList.toggle("is-out", share >= 1);
  menu.querySelector(".gauge-used").setAttribute("width", Math.min(100, (100 * minuteUsed) / minuteLimit));
};

document.addEventListener("portal:unchanged", ({ detail }) => {
  if (!live) return;
  setClock(detail.now);
  noteAnswer();
  isDue = false;
  const [clock, age] = document.querySelectorAll("#freshness time");
  for (const time of [clock, age]) time.dateTime = detail.at;
  clock.textContent = detail.clock;
  age.title = detail.exact;
  showRateLimit(detail);
  updateTimes();
  run();
});

document.addEventListener("htmx:load", () => {
  if (document.getElementById("live") !== live) readState();
  run();
});

for (const name of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"]) {
  document.addEventListener(name, ({ type, movementX, movementY }) => {
    // Browsers send pointermove without movement when the page scrolls under the pointer.
    if (type !== "pointermove" || movementX || movementY) lastInput = performance.now();
  }, { passive: true, capture: true });
}

document.addEventListener("click", ({ target }) => {
  if (!target.closest("[data-live-pause]")) return;
  isPaused = !isPaused;
  sessionStorage.setItem("paused", isPaused ? "1" : "0");
  run();
});

document.addEventListener("selectionchange", () => {
  if (isDue) run();
});
document.addEventListener("visibilitychange", () => {
  lastInput = performance.now();
  updateTimes();
  run();
});
setInterval(() => {
  updateTimes();
  run();
  watchSession();
}, 1000);
readState();
run();
