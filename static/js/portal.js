/* What the pages do beyond links and forms: ticking times, copying, menus, and htmx's rough edges made safe.
   Everything works without it. It reads data- attributes (docs/interface.md lists them) and never evaluates text. */

"use strict";

(() => {
  const root = document.documentElement;
  const words = document.getElementById("portal-words").dataset;
  const announcer = document.getElementById("announcer");
  const troubles = document.getElementById("troubles");

  const announce = (text) => {
    if (!text) return;
    // A screen reader says nothing when the same text is set again.
    announcer.textContent = announcer.textContent === text ? `${text}\u00a0` : text;
  };

  // Times: <time datetime data-ago>

  const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const relative = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "always" });

  const relativeText = (moment) => {
    const seconds = Math.trunc((moment - Date.now()) / 1000);
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
      const seconds = (Date.now() - Date.parse(line.querySelector("time[data-ago]").dateTime)) / 1000;
      const word = line.querySelector("[data-stale-after]");
      line.classList.toggle("is-stale", seconds > Number(line.dataset.warnAfter));
      word.hidden = seconds <= Number(word.dataset.staleAfter);
    }
  };
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);

  // Copying: <button data-copy="text">

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

  const copyFrom = async (button) => {
    try {
      await copyText(button.dataset.copy);
    } catch {
      announce(words.notCopied);
      button.dataset.note = words.notCopied;
      setTimeout(() => delete button.dataset.note, 4000);
      return;
    }
    button.focus({ preventScroll: true });
    button.classList.add("is-copied");
    button.dataset.note = words.copied;
    announce(words.copied);
    setTimeout(() => {
      button.classList.remove("is-copied");
      delete button.dataset.note;
    }, 1600);
  };

  // Menus: <details class="menu">

  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!except || !menu.contains(except)) menu.open = false;
    }
  };

  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    const button = event.target.closest("[data-copy]");
    if (button) copyFrom(button);
    if (event.target.closest("[data-retry]")) retry();
    if (event.target.closest("[data-dismiss]")) troubles.replaceChildren();
  });
  document.addEventListener("focusin", (event) => closeMenus(event.target));

  // Keys: Escape closes what is open, / goes to the search field

  const isTyping = (element) => element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) {
        if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
        menu.open = false;
      } else if (document.activeElement.matches(".ago")) {
        document.activeElement.classList.add("is-plain");
      }
      return;
    }
    const search = document.querySelector("[data-search]");
    if (event.key === "/" && search && !isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });
  document.addEventListener("focusout", (event) => event.target.classList?.remove("is-plain"));

  // Forms: <form data-submit-on-change> sends itself when a list or a box in it changes

  document.addEventListener("change", (event) => {
    const { target } = event;
    if (target.matches("select, [type=checkbox], [type=radio]")) target.closest("form[data-submit-on-change]")?.requestSubmit();
  });

  // Forms that come back: <input type="hidden" name="next" data-here>, for htmx may have changed the address since

  document.addEventListener("submit", (event) => {
    const here = event.target.querySelector("[data-here]");
    if (here) here.value = location.pathname + location.search;
  });

  // htmx: work under way

  let failed = null;
  const isRefresh = (config) => "Portal-Refresh" in config.headers;
  const underWay = { "is-loading": 0, "is-refreshing": 0 };

  document.addEventListener("htmx:beforeSend", ({ detail }) => {
    const kind = isRefresh(detail.requestConfig) ? "is-refreshing" : "is-loading";
    const { target } = detail;
    underWay[kind] += 1;
    root.classList.add(kind);
    target.setAttribute("aria-busy", "true");
    detail.xhr.addEventListener("loadend", () => {
      underWay[kind] -= 1;
      if (!underWay[kind]) root.classList.remove(kind);
      target.removeAttribute("aria-busy");
    });
  });

  // htmx: an answer that never came, or is none of ours, leaves the page as it is and says so

  const showTrouble = (name, detail) => {
    failed = detail;
    const part = document.getElementById(name).content.cloneNode(true);
    const place = part.querySelector("[data-status]");
    if (place) place.textContent = `HTTP ${detail.xhr.status}`;
    troubles.replaceChildren(part);
  };

  function retry() {
    if (!failed) return;
    const { elt, target, requestConfig, pathInfo } = failed;
    failed = null;
    troubles.replaceChildren();
    if (!elt.isConnected || !target.isConnected) {
      // A refresh has replaced the link meanwhile; its page is still there to be opened.
      if (requestConfig.verb === "get") location.assign(pathInfo.finalRequestPath);
      else location.reload();
    } else if (elt.matches("form")) elt.requestSubmit();
    else htmx.ajax(requestConfig.verb, requestConfig.path, { source: elt, target, headers: { ...requestConfig.headers } });
  }

  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, ({ detail }) => showTrouble("trouble-unreachable", detail));
  }
  // What succeeds takes the notice away, but no refresh takes away the notice of what a person did.
  document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
    if (!failed || failed.xhr === detail.xhr || (isRefresh(detail.requestConfig) && !isRefresh(failed.requestConfig))) return;
    failed = null;
    troubles.replaceChildren();
  });

  const isPage = (text) => /<html[\s>]/i.test(text.slice(0, 600));
  const isFragment = (text, target) => text.includes(`id="${target.id}"`) || text.includes('class="alert ');

  const isSelecting = (target) => {
    const selection = getSelection();
    return selection.rangeCount > 0 && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(target);
  };

  let postponed = null;
  document.addEventListener("selectionchange", () => {
    if (!postponed || isSelecting(postponed.target)) return;
    failed = postponed;
    postponed = null;
    if (failed.elt.isConnected) retry();
  });

  // htmx: a swap keeps the focus and what is open

  const describe = (element) =>
    [element.tagName, element.getAttribute("aria-label") || element.textContent.trim(), element.dataset.copy].join("|");
  let lost = null;
  let unfolded = [];

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
      showTrouble("trouble-failed", detail);
    } else if (isRefresh(detail.requestConfig) && isSelecting(target)) {
      detail.shouldSwap = false;
      postponed = detail;
    } else {
      // Two swaps may overlap: what the first one took away is still to be given back.
      const active = document.activeElement;
      if (target.contains(active) && active !== target) lost = { id: active.id, like: describe(active) };
      for (const details of target.querySelectorAll("details[open][id]")) unfolded.push(details.id);
    }
  });

  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    unfolded = [];
    const target = document.getElementById(detail.target.id);
    if (!lost || !target) return;
    const { id, like } = lost;
    lost = null;
    if (document.activeElement && document.activeElement !== document.body) return;
    const all = [...target.querySelectorAll("a, button, input, select, summary, [tabindex]")];
    const again = (id && document.getElementById(id)) || all.find((each) => describe(each) === like);
    if (!again) target.tabIndex = -1;
    (again || target).focus({ preventScroll: true });
  });

  // htmx: what was swapped in is announced: data-announce="150 instances, as of 14:32:07"

  document.addEventListener("htmx:load", ({ detail }) => {
    if (detail.elt === document.body) return;
    tick();
    const told = detail.elt.matches("[data-announce]") ? detail.elt : detail.elt.querySelector("[data-announce]");
    if (told) announce(told.dataset.announce);
  });
})();
