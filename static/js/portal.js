/* Progressive enhancement: relative times, copy buttons, menus, shortcuts, and error handling for htmx. Everything
   works without it. It reads data- attributes (docs/interface.md lists them) and never evaluates text. */

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
    // Screen readers do not announce the same text twice.
    announcer.textContent = announcer.textContent === text ? `${text}\u00a0` : text;
  };

  // Makes the element focusable if it is not.
  const focusOn = (element) => {
    if (!element.matches(FOCUSABLE)) element.tabIndex = -1;
    element.focus({ preventScroll: true });
  };

  // If the focus was inside, move it to the new notice, or else to `next`.
  const refill = (place, parts, next) => {
    const hadFocus = place.contains(document.activeElement);
    place.replaceChildren(...parts);
    if (hadFocus) focusOn(place.querySelector(FOCUSABLE) || next);
  };

  // Times use the server's clock (data-now) plus a monotonic clock: the visitor's clock may be wrong or change.

  const since = () => performance.now();
  let skew = 0;
  const now = () => since() + skew;
  const setClock = (text) => { skew = Date.parse(text) - since(); };
  setClock(document.body.dataset.now);

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
    for (const line of document.querySelectorAll("[data-warn-after]")) {
      const seconds = (now() - Date.parse(line.querySelector("time[data-ago]").dateTime)) / 1000;
      const word = line.querySelector("[data-stale-after]");
      // A time in the future counts as old.
      const isOlder = (than) => seconds > Number(than) || seconds < -5;
      line.classList.toggle("is-stale", isOlder(line.dataset.warnAfter));
      word.hidden = !isOlder(word.dataset.staleAfter);
    }
    for (const count of document.querySelectorAll("[data-countdown]")) {
      count.textContent = Math.max(0, Math.ceil((Date.parse(count.dataset.countdown) - now()) / 1000));
    }
  };

  // Copy buttons

  const readCopy = ({ dataset, parentElement, previousElementSibling }) => {
    if ("ofRow" in dataset) return parentElement.closest("[data-instance-id]").dataset.instanceId;
    return dataset.copy || previousElementSibling.textContent;
  };

  const copyText = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // The clipboard API is not available on plain HTTP.
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

  // With the keyboard shortcut the focus stays on the row and the button may not be visible, so a toast shows what was
  // copied.
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

  // Add the tooltip only while hovering, so that the markup of the row stays unchanged.
  document.addEventListener("pointerover", (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    button.title = button.ariaLabel;
    button.addEventListener("pointerleave", () => button.removeAttribute("title"), { once: true });
  });

  // Menus

  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!except || !menu.contains(except)) menu.open = false;
    }
  };

  // With a modifier key the browser handles the link (such as a new tab); htmx and the handler below must not see the
  // click.
  document.addEventListener("click", (event) => {
    const { altKey, ctrlKey, metaKey, shiftKey } = event;
    if ((altKey || ctrlKey || metaKey || shiftKey) && event.target.closest("a[href]")) event.stopPropagation();
  }, true);

  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    const button = event.target.closest("[data-copy]");
    if (button) copyFrom(button, false);
    if (event.target.closest("[data-retry]")) retry();
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      event.preventDefault();
      // The dialog returns the focus to the menu button when it is closed.
      opener.closest("details")?.querySelector("summary").focus();
      document.getElementById(opener.dataset.opens).showModal();
    }
    // A click on the backdrop has the dialog itself as its target.
    if (event.target.matches("dialog")) event.target.close();
  });
  document.addEventListener("focusin", (event) => closeMenus(event.target));

  // Keyboard shortcuts

  const isTyping = (element) => element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
  const press = (selector) => document.querySelector(selector)?.click();
  const findRow = () => document.activeElement.closest("[data-instance-id]");

  const goToRow = (by) => {
    const links = [...document.querySelectorAll("[data-instance-id] th a")];
    // Coming back from an instance, start from its row.
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
    // AltGr, which some keyboard layouts need for brackets, is reported as Ctrl and Alt.
    const isAlone = event.getModifierState("AltGraph") || !(event.ctrlKey || event.metaKey || event.altKey);
    if (!("shortcuts" in document.body.dataset) || !isAlone || event.isComposing || isTyping(event.target)) return;
    if (!Object.hasOwn(KEYS, event.key) || (event.repeat && !"jk".includes(event.key))) return;
    event.preventDefault();
    KEYS[event.key]();
  };

  document.addEventListener("keydown", (event) => {
    // An open dialog handles its own keys.
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

  // Forms that return to the current page: htmx may have changed the URL since the page was loaded. (The URL of a
  // response to a form is the URL of the form.)

  document.addEventListener("submit", (event) => {
    const here = event.target.querySelector("[data-here]");
    if (here && ["", location.pathname].includes(here.dataset.here)) here.value = location.pathname + location.search;
    const name = event.target.querySelector("#id_name");
    if (name) name.asked = name.value;
    clearTimeout(pause);
    isEnter = false;
  });

  // Suggestions in comma-separated fields complete the last value.

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

  // Filter by name after a pause in typing, unless an IME composition is in progress, and replace the URL. Enter or
  // leaving the field adds one history entry, so that Back returns to before the typing began.

  const TYPED = "portal:typed", PAUSE = 350;
  let pause = 0;
  let typedFrom = null;
  let isEnter = false;

  const enter = (method, url) => history[method]({ htmx: true }, "", url);
  const isName = (field) => field.id === "id_name";
  const ask = (field, name) => {
    clearTimeout(pause);
    if ((field.asked ?? field.defaultValue) === field.value) return false;
    field.asked = field.value;
    htmx.trigger(field, name);
    return true;
  };
  for (const name of ["input", "compositionend"]) {
    document.addEventListener(name, ({ target, isComposing }) => {
      if (!isName(target)) return;
      clearTimeout(pause);
      if (!isComposing) pause = setTimeout(() => ask(target, TYPED), PAUSE);
    });
  }
  // Enter submits the form right after the change event.
  document.addEventListener("keydown", ({ key }) => { isEnter = key === "Enter"; }, true);
  document.addEventListener("change", ({ target }) => {
    if (!isName(target) || isEnter || ask(target, "portal:left")) return;
    if (!target.form.matches(".htmx-request")) step(location.href);
  });
  const step = (url) => {
    if (!typedFrom) return;
    enter("replaceState", typedFrom);
    if (typedFrom !== url) enter("pushState", url);
    typedFrom = null;
  };
  document.addEventListener("htmx:beforeHistoryUpdate", ({ detail }) => {
    const { history: update, requestConfig } = detail;
    const url = new URL(update.path, location).href;
    if (requestConfig.triggeringEvent?.type === TYPED && isName(document.activeElement)) {
      typedFrom ??= location.href;
      update.type = "replace";
    } else {
      step(url);
      if (url === location.href) update.type = "replace";
    }
  });

  // The session ends `idle` seconds after the last request by a person. Tabs share a session and notify each other.

  const { idle } = document.body.dataset;
  const WARN_SECONDS = 180;
  let seenAt = since();
  const noteSeen = () => {
    seenAt = since();
    try {
      localStorage.setItem("seen", Math.random());
    } catch {
      // Storage may be disabled.
    }
  };
  addEventListener("storage", ({ key }) => {
    if (key === "seen") seenAt = since();
  });
  const countSecondsLeft = () => idle - (since() - seenAt) / 1000;
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

  // A click after typing first sends the filter because the field loses focus; don't let the click cancel that request.
  document.addEventListener("htmx:confirm", (event) => {
    const form = document.querySelector("#filters.htmx-request");
    const { elt, target } = event.detail;
    if (form && form !== elt && target.closest("#instances")) event.preventDefault();
  });

  // htmx: requests in progress

  let failed = null;
  const isRefresh = (config) => "Portal-Refresh" in config.headers;
  const underWay = { "is-loading": 0, "is-refreshing": 0 };

  document.addEventListener("htmx:beforeSend", ({ detail }) => {
    const kind = isRefresh(detail.requestConfig) ? "is-refreshing" : "is-loading";
    const { target } = detail;
    if (kind === "is-refreshing") askedAt = since();
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

  // htmx: failed requests and unexpected responses

  // `told`: the error notice of the portal
  const showTrouble = (name, detail, told) => {
    const isOurs = isRefresh(detail.requestConfig);
    if (isOurs) failures += 1;
    // A failed refresh does not replace the error of a user action.
    if (isOurs && failed && !isRefresh(failed.requestConfig)) return;
    failed = detail;
    const part = document.getElementById(name).content.cloneNode(true);
    const again = part.querySelector("a");
    if (again) again.href = location.href;
    const place = part.querySelector("[data-status]");
    if (place) place.textContent = `HTTP ${detail.xhr.status}`;
    // Only server errors are worth a retry.
    if (told && detail.xhr.status >= 500) told.append(part.querySelector(".alert-action"));
    refill(troubles, [told || part], detail.target);
  };

  function retry() {
    if (!failed) return;
    const { elt, target, requestConfig, pathInfo } = failed;
    failed = null;
    refill(troubles, [], elt.matches(FOCUSABLE) ? elt : target);
    if (!elt.isConnected || !target.isConnected) {
      // A refresh has replaced the link in the meantime.
      if (requestConfig.verb === "get") location.assign(pathInfo.finalRequestPath);
      else location.reload();
    } else if (elt.matches("form")) elt.requestSubmit();
    else {
      // Errors are handled by the event listeners.
      const again = { source: elt, target, headers: { ...requestConfig.headers } };
      htmx.ajax(requestConfig.verb, requestConfig.path, again).catch(() => {});
    }
  }

  // A redirect to another origin, such as the sign-in page of a proxy, looks like a network error to htmx.
  const isLedAway = async () => {
    try {
      return (await fetch(location.href, { method: "HEAD", redirect: "manual", headers: { "Portal-Refresh": 1 } })).type === "opaqueredirect";
    } catch {
      return false;
    }
  };
  document.addEventListener("htmx:timeout", ({ detail }) => showTrouble("trouble-unreachable", detail));
  document.addEventListener("htmx:sendError", async ({ detail }) => {
    showTrouble((await isLedAway()) ? "trouble-away" : "trouble-unreachable", detail);
  });
  // A successful refresh does not remove the error of a user action.
  document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
    if (!failed || failed.xhr === detail.xhr || (isRefresh(detail.requestConfig) && !isRefresh(failed.requestConfig))) return;
    failed = null;
    refill(troubles, [], detail.target);
  });

  const isPage = (text) => /<html[\s>]/i.test(text.slice(0, 600));
  const isFragment = (text, target) => text.includes(`id="${target.id}"`);

  // Returns the notice of an error fragment of the portal.
  const findTold = (text) => {
    const parsed = document.createElement("template");
    parsed.innerHTML = text;
    return parsed.content.querySelector("#error .alert");
  };

  const isSelecting = (target) => {
    const selection = getSelection();
    return selection.rangeCount > 0 && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(target);
  };

  const isHeld = (target) => isSelecting(target) || target.querySelector("details.menu[open]:not([data-budget])") !== null;

  // htmx: keep the focus and open details across a swap

  const describe = (element) =>
    [element.tagName, element.getAttribute("aria-label") || element.textContent.trim(), element.dataset.copy].join("|");
  let lost = null;
  let unfolded = [];

  // Two swaps may overlap.
  const noteFocus = (region) => {
    const active = document.activeElement;
    if (region.contains(active)) lost = { id: active.id, like: describe(active), row: findRow()?.id, typed: active.value };
  };

  // Search the same row first, because other rows contain the same elements.
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
    // Keep what was typed in the meantime. (htmx finds a field again by its id.)
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
    if (isPage(text) || !isFragment(text, target)) {
      detail.shouldSwap = false;
      const told = isPage(text) ? null : findTold(text);
      // Such as the sign-in page of a proxy.
      const isAway = !told && (xhr.status < 400 || [401, 403].includes(xhr.status));
      showTrouble(isAway ? "trouble-away" : "trouble-failed", detail, told);
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

  // A refresh only changes what is different: children of elements with data-merge are compared recursively.

  const keyOf = (element) => element.id || element.dataset.instanceId || element.tagName;

  // A copy without the changes made by time, the user and this script
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

  // Auto-refresh

  // In seconds, except DUE_AFTER in milliseconds, the delay before a cached page is revalidated.
  const QUICK_FOR = 120, IDLE_AFTER = 600, LONGEST = 300, SLOW_AFTER = 3, DUE_AFTER = 300;
  let live = null;
  let isDue = false;
  let isPaused = false;
  let failures = 0;
  let answeredAt = 0;
  let askedAt = null;
  let lastInput = since();
  let pending = { name: "", since: 0 };

  try {
    isPaused = sessionStorage.getItem("paused") === "1";
  } catch {
    // Storage may be disabled.
  }

  const isQuick = () => Boolean(live.dataset.pending) && since() - pending.since < QUICK_FOR * 1000;

  // When the next refresh is due: exponential backoff after failures, and never before ByCloud's retry time.
  const nextAt = () => {
    const { every, quick, retryAt, steady } = live.dataset;
    const allowedAt = retryAt ? Date.parse(retryAt) - skew : 0;
    if (isDue) return answeredAt + DUE_AFTER;
    if (every === "0") return Infinity;
    if (steady !== undefined && allowedAt) return Math.max(allowedAt, answeredAt + 1000);
    const seconds = failures ? Math.min(every * 2 ** (failures - 1), LONGEST) : isQuick() ? quick : every;
    return Math.max(answeredAt + seconds * 1000, allowedAt);
  };

  // Read the state of a new #live element
  const adopt = () => {
    const found = document.getElementById("live");
    if (found === live) return;
    live = found;
    if (!live) return;
    const { dataset } = live;
    setClock(dataset.now);
    answeredAt = since();
    isDue = "due" in dataset;
    if (isDue) setTimeout(drive, DUE_AFTER);
    failures = dataset.trouble && !("steady" in dataset) ? failures + 1 : 0;
    if ((dataset.pending || "") !== pending.name) pending = { name: dataset.pending || "", since: since() };
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
    const seconds = Math.max(0, Math.ceil((nextAt() - since()) / 1000));
    // A cached page with this error refreshes once, because the same token may be valid by now.
    const isStopped = trouble === "rejected" && !isDue;
    const isIdle = since() - lastInput > IDLE_AFTER * 1000;
    const isWaiting = isHeld(document.querySelector(live.getAttribute("hx-target")));
    // Only pages with auto-refresh have the button that resumes it.
    const isResting = isPaused && every !== "0";
    if (isStopped) tell("liveStopped");
    else if (hasEnded()) tell("liveEnded");
    else if (isResting) tell("livePaused");
    else if (askedAt && since() - askedAt > SLOW_AFTER * 1000) tell("liveAsking");
    else if (every === "0") tell("liveByHand");
    else if (isIdle) tell("liveIdle");
    else if (isWaiting && seconds === 0) tell("liveHeld");
    else if (failures || steady !== undefined) tell("liveFailing", seconds);
    else tell(isQuick() ? "liveQuick" : "liveEvery", isQuick() ? quick : every);
    if (document.hidden || askedAt || isStopped || hasEnded() || isResting || isIdle || isWaiting || since() < nextAt()) return;
    isDue = false;
    answeredAt = since();
    htmx.trigger(live, "portal:refresh");
  };

  // Only the faster refresh of a changing page accepts data from less than the usual cache time
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.elt === live && isQuick()) detail.headers["Portal-Refresh"] = "quick";
  });

  document.addEventListener("portal:unchanged", ({ detail }) => {
    if (!live) return;
    setClock(detail.now);
    isDue = false;
    answeredAt = since();
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
    // Browsers send pointermove without movement when the page scrolls under the pointer.
    if (event.type === "pointermove" && !event.movementX && !event.movementY) return;
    lastInput = since();
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
      // Storage may be disabled.
    }
    drive();
  });

  document.addEventListener("selectionchange", () => {
    if (isDue) drive();
  });
  document.addEventListener("visibilitychange", () => {
    lastInput = since();
    tick();
    drive();
  });
  setInterval(() => {
    tick();
    drive();
    watchSession();
  }, 1000);
  drive();

  // htmx: announce new content

  document.addEventListener("htmx:load", ({ detail }) => {
    if (detail.elt === document.body) return;
    tick();
    drive();
    const told = detail.elt.matches("[data-announce]") ? detail.elt : detail.elt.querySelector("[data-announce]");
    if (told) announce(told.dataset.announce);
  });
})();
