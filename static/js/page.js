/* What the other modules share: texts, announcements, focus, notices, and times by the server's clock. */

export const FOCUSABLE = "a, button, input, select, summary, [tabindex]";
export const texts = document.getElementById("script-texts").dataset;

const announcer = document.getElementById("announcer");

export const announce = (text) => {
  if (!text) return;
  // Screen readers do not announce the same text twice.
  announcer.textContent = announcer.textContent === text ? `${text}\u00a0` : text;
};

// Makes the element focusable if it is not.
export const focusOn = (element) => {
  if (!element.matches(FOCUSABLE)) element.tabIndex = -1;
  element.focus({ preventScroll: true });
};

// Shows a notice in `place`, or none. If the focus was inside, it moves to the new notice, or else to `next`.
export const showNotice = (place, notice, next) => {
  const hadFocus = place.contains(document.activeElement);
  place.replaceChildren(...(notice ? [notice] : []));
  if (hadFocus) focusOn(place.querySelector(FOCUSABLE) || next);
};

export const copyTemplate = (name) => document.getElementById(name).content.cloneNode(true);

export const findRow = () => document.activeElement.closest("[data-instance-id]");

// The server's clock at the last response plus a monotonic clock: the visitor's clock may be wrong or change.
let offset = 0;
export const setClock = (text) => { offset = Date.parse(text) - performance.now(); };
setClock(document.body.dataset.now);

// Milliseconds until a moment; negative after it.
export const timeUntil = (text) => Date.parse(text) - performance.now() - offset;

export const { lang } = document.documentElement;
const relativeTime = new Intl.RelativeTimeFormat(lang, { numeric: "always" });
const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

// The largest unit that so many seconds fill, and its length in seconds; the smallest one if they fill none.
export const findUnit = (seconds) => UNITS.find(([, each]) => Math.abs(seconds) >= each) || UNITS.at(-1);

export const formatNumber = (value) => value.toLocaleString(lang);

const formatAge = (moment) => {
  const seconds = Math.trunc(timeUntil(moment) / 1000);
  if (Number.isNaN(seconds)) return null;
  if (Math.abs(seconds) < 5) return texts.justNow;
  const [unit, length] = findUnit(seconds);
  return relativeTime.format(Math.trunc(seconds / length), unit);
};

export const updateTimes = () => {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = formatAge(time.dateTime);
    if (text && time.textContent !== text) time.textContent = text;
  }
  for (const line of document.querySelectorAll("[data-warn-after]")) {
    const age = -timeUntil(line.querySelector("time[data-ago]").dateTime) / 1000;
    const label = line.querySelector("[data-stale-after]");
    // A time in the future counts as old.
    const isOlder = (than) => age > Number(than) || age < -5;
    line.classList.toggle("is-stale", isOlder(line.dataset.warnAfter));
    label.hidden = !isOlder(label.dataset.staleAfter);
  }
  for (const count of document.querySelectorAll("[data-countdown]")) {
    count.textContent = Math.max(0, Math.ceil(timeUntil(count.dataset.countdown) / 1000));
  }
};
