/* What the pages do beyond links and forms: ticking times, copying, menus, keys, and htmx's rough edges made safe.
   Everything works without it. It reads data- attributes (docs/interface.md lists them) and never evaluates text. */

"use strict";

(() => {
  const root = document.documentElement;
  const words = document.getElementById("portal-words").dataset;
  const announcer = document.getElementById("announcer");
  const troubles = document.getElementById("troubles");
  const toasts = document.getElementById("toasts");
  const main = document.getElementById("main");
  const FOCUSABLE = "a, button, input, select, summary, [tabindex]";

  const announce = (text) => {
    if (!text) return;
    // A screen reader says nothing when the same text is set again.
    announcer.textContent = announcer.textContent === text ? `${text}\u00a0` : text;
  };

  // Where the focus goes on when what had it is gone. A region takes it, too.
  const focusOn = (element) => {
    if (!element.matches(FOCUSABLE)) element.tabIndex = -1;
    element.focus({ preventScroll: true });
  };

  // Puts parts, or nothing, in the place of what a notice said. The focus, if it was in there, goes into the new
  // notice or on to `next`.
  const refill = (place, parts, next) => {
    const hadFocus = place.contains(document.activeElement);
    place.replaceChildren(...parts);
    if (hadFocus) focusOn(place.querySelector(FOCUSABLE) || next);
  };

  // Times: <time datetime data-ago>, by the server's clock: a visitor's may be wrong

  let skew = 0;
  const now = () => Date.now() + skew;
  const setClock = (text) => {
    const difference = Date.parse(text) - Date.now();
    if (!Number.isNaN(difference)) skew = Math.abs(difference) > 3000 ? difference : 0;
  };

  const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const relative = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "always" });

  const relativeText = (moment) => {
    const seconds = Math.trunc((moment - now()) / 1000);
    if (Number.isNaN(seconds)) return null;
    if (Math.abs(seconds) < 5) return words.justNow;
    const [unit, length] = UNITS.find(([, each]) => Math.abs(seconds) >= each);
    return relative.format(Math.trunc(seconds / length), unit);
  };

  const tick = () => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = relativeText(Date.parse(time.dateTime));
      if (text && time.textContent !== text) time.textContent = text;
    }
    // How old the facts are: <p data-warn-after> holds their time, and <span data-stale-after> the word for old ones
    for (const line of document.querySelectorAll("[data-warn-after]")) {
      const seconds = (now() - Date.parse(line.querySelector("time[data-ago]").dateTime)) / 1000;
      const word = line.querySelector("[data-stale-after]");
      line.classList.toggle("is-stale", seconds > Number(line.dataset.warnAfter));
      word.hidden = seconds <= Number(word.dataset.staleAfter);
    }
    for (const count of document.querySelectorAll("[data-countdown]")) {
      count.textContent = Math.max(0, Math.ceil((Date.parse(count.dataset.countdown) - now()) / 1000));
    }
  };

  // Copying: <button data-copy="text">; without a text, the id of its row (data-of-row) or what stands before it

  const readCopy = ({ dataset, parentElement, previousElementSibling }) => {
    if ("ofRow" in dataset) return parentElement.closest("[data-instance-id]").dataset.instanceId;
    return dataset.copy || previousElementSibling.textContent;
  };

  const copyText = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Plain HTTP has no clipboard API.
    const area = document.createElement("textarea");
    area.className = "visually-hidden";
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    if (!isDone) throw new Error("refused");
  };

  const showToast = (name, text) => {
    const toast = document.getElementById(name).content.firstElementChild.cloneNode(true);
    toast.querySelector("p").textContent = text;
    toasts.replaceChildren(toast);
    setTimeout(() => toast.remove(), 4000);
  };

  // A key leaves the focus on its row, and the button may be out of sight: a toast says what was copied.
  const copyFrom = async (button, isByKey) => {
    let isDone = true;
    try {
      await copyText(readCopy(button));
    } catch {
      isDone = false;
    }
    const text = isDone ? words.copied : words.notCopied;
    if (isByKey) {
      showToast(isDone ? "toast" : "toast-error", isDone ? `${text}: ${readCopy(button)}` : text);
      return;
    }
    button.focus({ preventScroll: true });
    button.classList.toggle("is-copied", isDone);
    button.dataset.note = text;
    announce(text);
    setTimeout(() => {
      button.classList.remove("is-copied");
      delete button.dataset.note;
    }, isDone ? 1600 : 4000);
  };

  // The name of a copy button is its tooltip, too, as long as it is pointed at: its row stays as it came.
  document.addEventListener("pointerover", (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    button.title = button.ariaLabel;
    button.addEventListener("pointerleave", () => button.removeAttribute("title"), { once: true });
  });

  // Menus: <details class="menu">

  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!except || !menu.contains(except)) menu.open = false;
    }
  };

  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    const button = event.target.closest("[data-copy]");
    if (button) copyFrom(button, false);
    if (event.target.closest("[data-retry]")) retry();
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      event.preventDefault();
      // The dialog gives the focus back to what had it, and the menu will be closed by then.
      opener.closest("details")?.querySelector("summary").focus();
      document.getElementById(opener.dataset.opens).showModal();
    }
    // The ground behind a dialog is the dialog itself.
    if (event.target.matches("dialog")) event.target.close();
  });
  document.addEventListener("focusin", (event) => closeMenus(event.target));

  // Keys: Escape closes what is open; single keys work as long as <body data-shortcuts> says so

  const isTyping = (element) => element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
  const press = (selector) => document.querySelector(selector)?.click();
  const findRow = () => document.activeElement.closest("[data-instance-id]");

  const goToRow = (by) => {
    const links = [...document.querySelectorAll("[data-instance-id] th a")];
    // Back from an instance, its row is where one was.
    const row = findRow() || document.querySelector("[data-instance-id]:target");
    const at = row ? links.findIndex((link) => row.contains(link)) + by : 0;
    links[at]?.focus();
    links[at]?.closest("tr").scrollIntoView({ block: "nearest" });
  };

  const KEYS = {
    "/": () => {
      const search = document.querySelector("[data-search]");
      search?.focus();
      search?.select();
    },
    "?": () => document.getElementById("shortcuts")?.showModal(),
    j: () => goToRow(1),
    k: () => goToRow(-1),
    r: () => press("[data-key=r]"),
    p: () => press("[data-live-pause]"),
    c: () => {
      const button = (findRow() || document.querySelector("#instance .ids"))?.querySelector("[data-copy]");
      if (button) copyFrom(button, true);
    },
    "[": () => press("a[rel=prev]"),
    "]": () => press("a[rel=next]"),
  };

  const pressKey = (event) => {
    // Some keyboards need AltGr for a bracket; it counts as Ctrl and Alt.
    const isAlone = event.getModifierState("AltGraph") || !(event.ctrlKey || event.metaKey || event.altKey);
    if (!("shortcuts" in document.body.dataset) || !isAlone || event.isComposing || isTyping(event.target)) return;
    if (!Object.hasOwn(KEYS, event.key) || (event.repeat && !"jk".includes(event.key))) return;
    event.preventDefault();
    KEYS[event.key]();
  };

  document.addEventListener("keydown", (event) => {
    // An open dialog has the keyboard to itself, and closes by itself.
    if (document.querySelector("dialog[open]")) return;
    if (event.key !== "Escape") {
      pressKey(event);
      return;
    }
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    } else if (document.activeElement.matches(".ago")) {
      document.activeElement.classList.add("is-plain");
    }
  });
  document.addEventListener("focusout", (event) => event.target.classList?.remove("is-plain"));

  // Forms that come back: <input type="hidden" name="next" data-here>, for htmx may have changed the address since.
  // With a path, only the address of that page counts: an answer to a form has the form's.

  document.addEventListener("submit", (event) => {
    const here = event.target.querySelector("[data-here]");
    if (here && ["", location.pathname].includes(here.dataset.here)) here.value = location.pathname + location.search;
  });

  // Suggestions for several values with commas between: <input list data-several>. Each goes on from what is typed.

  document.addEventListener("input", ({ target }) => {
    if (!target.list || !("several" in target.dataset)) return;
    const [before] = target.value.match(/^.*,\s*/) || [""];
    const given = before.split(",").map((one) => one.trim());
    for (const option of target.list.options) {
      const value = option.value.slice(option.value.lastIndexOf(",") + 1).trim();
      option.value = before + value;
      option.disabled = given.includes(value);
    }
  });

  // The session: <body data-idle> says after how many seconds without a person's request it ends. All tabs share one.

  const { idle } = document.body.dataset;
  const WARN_SECONDS = 180;
  let seenAt = Date.now();
  const noteSeen = () => {
    seenAt = Date.now();
    try {
      localStorage.setItem("seen", seenAt);
    } catch {
      // Storage may be forbidden; then each tab warns by itself.
    }
  };
  const readSeen = () => {
    try {
      return Math.max(seenAt, Number(localStorage.getItem("seen")));
    } catch {
      return seenAt;
    }
  };
  const countSecondsLeft = () => idle - (Date.now() - readSeen()) / 1000;
  const hasEnded = () => countSecondsLeft() <= 0;
  const watchSession = () => {
    const place = document.getElementById("session");
    if (!idle || !place) return;
    const left = countSecondsLeft();
    const name = left <= 0 ? "ended" : left <= WARN_SECONDS ? "ending" : "";
    if ((place.dataset.shown || "") !== name) {
      place.dataset.shown = name;
      refill(place, name ? [document.getElementById(`session-${name}`).content.cloneNode(true)] : [], main);
      htmx.process(place);
      const again = place.querySelector("a");
      if (again) again.href = location.href;
    }
    const count = place.querySelector("[data-left]");
    if (count) count.textContent = Math.ceil(left / 60);
  };
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.successful && !isRefresh(detail.requestConfig)) noteSeen();
    watchSession();
  });
  if (idle) noteSeen();

  // Whoever clicks after typing leaves the field, which sends the filter first: the click does not take its place.
  document.addEventListener("htmx:confirm", (event) => {
    const form = document.querySelector("#filters.htmx-request");
    const { elt, target } = event.detail;
    if (form && form !== elt && target.closest("#instances")) event.preventDefault();
  });

  // htmx: work under way

  let failed = null;
  const isRefresh = (config) => "Portal-Refresh" in config.headers;
  const underWay = { "is-loading": 0, "is-refreshing": 0 };

  document.addEventListener("htmx:beforeSend", ({ detail }) => {
    const kind = isRefresh(detail.requestConfig) ? "is-refreshing" : "is-loading";
    const { target } = detail;
    if (kind === "is-refreshing") askedAt = Date.now();
    underWay[kind] += 1;
    root.classList.add(kind);
    target.setAttribute("aria-busy", "true");
    detail.xhr.addEventListener("loadend", () => {
      if (kind === "is-refreshing") askedAt = null;
      underWay[kind] -= 1;
      if (!underWay[kind]) root.classList.remove(kind);
      target.removeAttribute("aria-busy");
    });
  });

  // htmx: an answer that never came, or is none of ours, leaves the page as it is and says so

  // `told`: the portal's own notice, in place of the one that the page has for the case
  const showTrouble = (name, detail, told) => {
    const isOurs = isRefresh(detail.requestConfig);
    if (isOurs) failures += 1;
    // A refresh that fails as well does not take the place of what a person did.
    if (isOurs && failed && !isRefresh(failed.requestConfig)) return;
    failed = detail;
    const part = document.getElementById(name).content.cloneNode(true);
    const place = part.querySelector("[data-status]");
    if (place) place.textContent = `HTTP ${detail.xhr.status}`;
    // What the portal refused it would refuse again.
    if (told && detail.xhr.status >= 500) told.append(part.querySelector(".alert-action"));
    refill(troubles, [told || part], detail.target);
  };

  function retry() {
    if (!failed) return;
    const { elt, target, requestConfig, pathInfo } = failed;
    failed = null;
    refill(troubles, [], elt.matches(FOCUSABLE) ? elt : target);
    if (!elt.isConnected || !target.isConnected) {
      // A refresh has replaced the link meanwhile; its page is still there to be opened.
      if (requestConfig.verb === "get") location.assign(pathInfo.finalRequestPath);
      else location.reload();
    } else if (elt.matches("form")) elt.requestSubmit();
    else {
      // What goes wrong is told by the events.
      const again = { source: elt, target, headers: { ...requestConfig.headers } };
      htmx.ajax(requestConfig.verb, requestConfig.path, again).catch(() => {});
    }
  }

  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, ({ detail }) => showTrouble("trouble-unreachable", detail));
  }
  // What succeeds takes the notice away, but no refresh takes away the notice of what a person did.
  document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
    if (!failed || failed.xhr === detail.xhr || (isRefresh(detail.requestConfig) && !isRefresh(failed.requestConfig))) return;
    failed = null;
    refill(troubles, [], detail.target);
  });

  const isPage = (text) => /<html[\s>]/i.test(text.slice(0, 600));
  const isFragment = (text, target) => text.includes(`id="${target.id}"`);

  // The notice in an error fragment of the portal's, which holds no region and so must not take the place of one
  const findTold = (text) => {
    const parsed = document.createElement("template");
    parsed.innerHTML = text;
    return parsed.content.querySelector("#error .alert");
  };

  const isSelecting = (target) => {
    const selection = getSelection();
    return selection.rangeCount > 0 && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(target);
  };

  // A refresh waits for whoever has marked text in its region, or opened a menu there.
  const isHeld = (target) => isSelecting(target) || target.querySelector("details.menu[open]:not([data-budget])") !== null;

  // htmx: a swap keeps the focus and what is open

  const describe = (element) =>
    [element.tagName, element.getAttribute("aria-label") || element.textContent.trim(), element.dataset.copy].join("|");
  let lost = null;
  let unfolded = [];

  // Two swaps may overlap: what the first one took away is still to be given back.
  const noteFocus = (region) => {
    const active = document.activeElement;
    if (region.contains(active)) lost = { id: active.id, like: describe(active), row: findRow()?.id, typed: active.value };
  };

  // In its own row, if it was in one that is still there: what stands in a row stands in others, too.
  const giveFocusBack = (region) => {
    if (!lost || !region) return;
    const { id, like, row, typed } = lost;
    lost = null;
    if (document.activeElement === document.body) {
      const place = (row && document.getElementById(row)) || region;
      const all = [...place.querySelectorAll(FOCUSABLE)];
      const again = (id && document.getElementById(id)) || all.find((each) => describe(each) === like);
      focusOn(again || (place !== region && place.querySelector("a")) || region);
    }
    // Whoever typed on meanwhile goes on where she was. (htmx finds a field again by its id.)
    const field = document.activeElement;
    if (id && field.id === id && field.matches("[type=text]") && field.value !== typed) {
      field.value = typed;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { detail } = event;
    const { target, xhr } = detail;
    if (!detail.shouldSwap) return;
    const text = detail.serverResponse || "";
    if (target !== document.body && isPage(text) && xhr.status < 400) {
      // Such as the sign-in page after the session has ended.
      detail.shouldSwap = false;
      location.assign(xhr.responseURL);
    } else if (xhr.status >= 400 && (isPage(text) || !isFragment(text, target))) {
      detail.shouldSwap = false;
      showTrouble("trouble-failed", detail, isPage(text) ? null : findTold(text));
    } else if (isRefresh(detail.requestConfig)) {
      detail.shouldSwap = false;
      if (isHeld(target)) isDue = true;
      else if (!refreshRegion(target, text)) showTrouble("trouble-failed", detail);
    } else {
      noteFocus(target);
      for (const details of target.querySelectorAll("details[open][id]")) unfolded.push(details.id);
    }
  });

  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    unfolded = [];
    giveFocusBack(document.getElementById(detail.target.id));
  });

  // A refresh changes what has changed and leaves the rest of its region alone: in elements with data-merge, the
  // children with the same id (or data-instance-id, or name) are compared, and so on down.

  const keyOf = (element) => element.id || element.dataset.instanceId || element.tagName;

  // An element without what time, the reader and this script have done to it
  const plain = (element) => {
    const copy = element.cloneNode(true);
    for (const each of [copy, ...copy.querySelectorAll("details, .copy, time[data-ago]")]) {
      each.removeAttribute("open");
      each.removeAttribute("data-note");
      each.classList.remove("is-copied", "is-plain");
      if (each.matches(".copy")) each.removeAttribute("title");
      if (each.matches("[data-ago]")) each.textContent = "";
    }
    return copy;
  };

  const replace = (old, fresh) => {
    for (const each of [old, ...old.querySelectorAll("details[open][id]")]) {
      if (!each.open || !each.id) continue;
      const again = fresh.id === each.id ? fresh : fresh.querySelector(`#${CSS.escape(each.id)}`);
      if (again) again.open = true;
    }
    old.replaceWith(fresh);
    htmx.process(fresh);
  };

  const merge = (old, fresh) => {
    if (!("merge" in old.dataset && "merge" in fresh.dataset)) {
      if (!plain(old).isEqualNode(plain(fresh))) replace(old, fresh);
      return;
    }
    for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
    for (const name of Object.keys(old.dataset)) if (!(name in fresh.dataset)) delete old.dataset[name];
    const left = new Map();
    for (const child of old.children) left.set(keyOf(child), [...(left.get(keyOf(child)) || []), child]);
    const pairs = [...fresh.children].map((child) => [child, left.get(keyOf(child))?.shift()]);
    for (const child of [...left.values()].flat()) child.remove();
    let place = old.firstElementChild;
    for (const [child, same] of pairs) {
      if (!same) {
        old.insertBefore(child, place);
        htmx.process(child);
        continue;
      }
      if (same === place) place = place.nextElementSibling;
      else old.insertBefore(same, place);
      merge(same, child);
    }
  };

  const refreshRegion = (region, text) => {
    const parsed = document.createElement("template");
    parsed.innerHTML = text;
    const fresh = parsed.content.getElementById(region.id);
    const apart = parsed.content.querySelectorAll("[hx-swap-oob]");
    if (!fresh) return false;
    noteFocus(region);
    merge(region, fresh);
    for (const part of apart) {
      part.removeAttribute("hx-swap-oob");
      document.getElementById(part.id)?.replaceWith(part);
    }
    giveFocusBack(region);
    tick();
    announce(region.dataset.announce);
    drive();
    return true;
  };

  // Live pages: #live asks for its region again by and by, for as long as somebody looks at it

  // In seconds, but for the last, which are milliseconds: an old page is shown first, then asks
  const QUICK_FOR = 120, IDLE_AFTER = 600, LONGEST = 300, SLOW_AFTER = 3, DUE_AFTER = 300;
  let live = null;
  let isDue = false;
  let isPaused = false;
  let failures = 0;
  let answeredAt = 0;
  let askedAt = null;
  let lastInput = Date.now();
  let pending = { name: "", since: 0 };

  try {
    isPaused = sessionStorage.getItem("paused") === "1";
  } catch {
    // Storage may be forbidden; then a pause lasts as long as the page.
  }

  const isQuick = () => Boolean(live.dataset.pending) && Date.now() - pending.since < QUICK_FOR * 1000;

  // When it asks next; in trouble less and less often, and never before ByCloud may be asked
  const nextAt = () => {
    const { every, quick, retryAt, steady } = live.dataset;
    const allowedAt = retryAt ? Date.parse(retryAt) - skew : 0;
    if (isDue) return answeredAt + DUE_AFTER;
    if (every === "0") return Infinity;
    if (steady !== undefined && allowedAt) return Math.max(allowedAt, answeredAt + 1000);
    const seconds = failures ? Math.min(every * 2 ** (failures - 1), LONGEST) : isQuick() ? quick : every;
    return Math.max(answeredAt + seconds * 1000, allowedAt);
  };

  // What a region brought: its own element, and whether it had trouble
  const adopt = () => {
    const found = document.getElementById("live");
    if (found === live) return;
    live = found;
    if (!live) return;
    const { dataset } = live;
    setClock(dataset.now);
    answeredAt = Date.now();
    isDue = "due" in dataset;
    if (isDue) setTimeout(drive, DUE_AFTER);
    failures = dataset.trouble && !("steady" in dataset) ? failures + 1 : 0;
    if ((dataset.pending || "") !== pending.name) pending = { name: dataset.pending || "", since: Date.now() };
  };

  const tell = (name, seconds) => {
    const place = document.querySelector("[data-live-words]");
    const text = words[name].replace("{seconds}", seconds);
    if (place && place.textContent !== text) place.textContent = text;
    document.querySelector("[data-live-pause]")?.setAttribute("aria-pressed", String(isPaused));
    for (const line of document.querySelectorAll("[data-next-try]")) {
      line.hidden = name !== "liveFailing";
      line.textContent = words.nextTry.replace("{seconds}", seconds);
    }
  };

  const drive = () => {
    adopt();
    if (!live) return;
    const { every, quick, trouble, steady } = live.dataset;
    const seconds = Math.max(0, Math.ceil((nextAt() - Date.now()) / 1000));
    // A page that was stored with the refusal asks once: the same token may have been found good since.
    const isStopped = trouble === "rejected" && !isDue;
    const isIdle = Date.now() - lastInput > IDLE_AFTER * 1000;
    const isWaiting = isHeld(document.querySelector(live.getAttribute("hx-target")));
    // Only a page that goes on by itself has the button that ends a pause.
    const isResting = isPaused && every !== "0";
    if (isStopped) tell("liveStopped");
    else if (hasEnded()) tell("liveEnded");
    else if (isResting) tell("livePaused");
    else if (askedAt && Date.now() - askedAt > SLOW_AFTER * 1000) tell("liveAsking");
    else if (every === "0") tell("liveByHand");
    else if (isIdle) tell("liveIdle");
    else if (isWaiting && seconds === 0) tell("liveHeld");
    else if (failures || steady !== undefined) tell("liveFailing", seconds);
    else tell(isQuick() ? "liveQuick" : "liveEvery", isQuick() ? quick : every);
    if (document.hidden || askedAt || isStopped || hasEnded() || isResting || isIdle || isWaiting || Date.now() < nextAt()) return;
    isDue = false;
    answeredAt = Date.now();
    htmx.trigger(live, "portal:refresh");
  };

  // Only who asks because of a change gets answers that are younger than fresh
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.elt === live && isQuick()) detail.headers["Portal-Refresh"] = "quick";
  });

  document.addEventListener("portal:unchanged", ({ detail }) => {
    if (!live) return;
    isDue = false;
    answeredAt = Date.now();
    if (live.dataset.trouble && !("steady" in live.dataset)) failures += 1;
    else failures = 0;
    const [clock, ago] = document.querySelectorAll("#freshness time");
    for (const time of [clock, ago]) time.dateTime = detail.at;
    clock.textContent = detail.clock;
    ago.title = detail.exact;
    showBudget(detail);
    tick();
    drive();
  });

  const showBudget = ({ minute, hour, others }) => {
    const budget = document.getElementById("budget");
    const set = (name, value) => {
      for (const place of budget.querySelectorAll(`[data-${name}]`)) place.textContent = value.toLocaleString(root.lang || "en");
    };
    set("minute-used", minute[0]);
    set("minute-limit", minute[1]);
    set("hour-used", hour[0]);
    set("hour-limit", hour[1]);
    set("others", others);
    const share = Math.max(minute[0] / minute[1], hour[0] / hour[1]);
    budget.classList.toggle("is-high", share >= 0.8);
    budget.classList.toggle("is-out", share >= 1);
    budget.querySelector(".gauge-used").setAttribute("width", Math.min(100, (100 * minute[0]) / minute[1]));
  };

  const noteInput = (event) => {
    // Browsers send a move of no length when the page moves under a pointer that lies still.
    if (event.type === "pointermove" && !event.movementX && !event.movementY) return;
    lastInput = Date.now();
  };
  for (const name of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"]) {
    document.addEventListener(name, noteInput, { passive: true, capture: true });
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-live-pause]")) return;
    isPaused = !isPaused;
    try {
      sessionStorage.setItem("paused", isPaused ? "1" : "0");
    } catch {
      // As above.
    }
    drive();
  });

  document.addEventListener("selectionchange", () => {
    if (isDue) drive();
  });
  document.addEventListener("visibilitychange", () => {
    lastInput = Date.now();
    tick();
    drive();
  });
  setInterval(() => {
    tick();
    drive();
    watchSession();
  }, 1000);
  drive();

  // htmx: what was swapped in is announced: data-announce="150 instances, as of 14:32:07"

  document.addEventListener("htmx:load", ({ detail }) => {
    if (detail.elt === document.body) return;
    tick();
    drive();
    const told = detail.elt.matches("[data-announce]") ? detail.elt : detail.elt.querySelector("[data-announce]");
    if (told) announce(told.dataset.announce);
  });
})();
