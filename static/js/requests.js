/* htmx requests: the name filter, progress, errors, and the focus across a swap. */

import { announce, copyTemplate, findRow, FOCUSABLE, focusOn, showNotice, updateTimes } from "./page.js";

// Auto-refresh requests carry this header.
export const isRefresh = ({ requestConfig }) => "Portal-Refresh" in requestConfig.headers;

export const parse = (text) => {
  const template = document.createElement("template");
  template.innerHTML = text;
  return template.content;
};

// Filter by name after a pause in typing, unless an input method composes, and replace the URL. Enter or leaving the
// field adds one history entry.

const TYPED = "portal:typed";
const PAUSE = 350;
let timer = 0;
let typedFrom = null;
let isEnter = false;

const isNameField = (field) => field.id === "id_name";

// Triggers a request unless the value was sent before. Returns whether it did.
const sendName = (field, trigger) => {
  clearTimeout(timer);
  if ((field.sent ?? field.defaultValue) === field.value) return false;
  field.sent = field.value;
  htmx.trigger(field, trigger);
  return true;
};

const setUrl = (method, url) => history[method]({ htmx: true }, "", url);
const addHistoryEntry = (url) => {
  if (!typedFrom) return;
  setUrl("replaceState", typedFrom);
  if (typedFrom !== url) setUrl("pushState", url);
  typedFrom = null;
};

for (const name of ["input", "compositionend"]) {
  document.addEventListener(name, ({ target, isComposing }) => {
    if (!isNameField(target)) return;
    clearTimeout(timer);
    if (!isComposing) timer = setTimeout(() => sendName(target, TYPED), PAUSE);
  });
}
// Enter submits the form right after the change event.
document.addEventListener("keydown", ({ key }) => { isEnter = key === "Enter"; }, true);
document.addEventListener("change", ({ target }) => {
  if (!isNameField(target) || isEnter || sendName(target, "portal:left")) return;
  if (!target.form.matches(".htmx-request")) addHistoryEntry(location.href);
});
document.addEventListener("submit", ({ target }) => {
  const field = target.querySelector("#id_name");
  if (field) field.sent = field.value;
  clearTimeout(timer);
  isEnter = false;
});
document.addEventListener("htmx:beforeHistoryUpdate", ({ detail }) => {
  const { history: update, requestConfig } = detail;
  const url = new URL(update.path, location).href;
  if (requestConfig.triggeringEvent?.type === TYPED && isNameField(document.activeElement)) {
    typedFrom ??= location.href;
    update.type = "replace";
  } else {
    addHistoryEntry(url);
    if (url === location.href) update.type = "replace";
  }
});

// A click after typing first sends the filter because the field loses focus; don't let the click cancel that request.
document.addEventListener("htmx:confirm", (event) => {
  const form = document.querySelector("#filters.htmx-request");
  const { elt, target } = event.detail;
  if (form && form !== elt && target.closest("#instances")) event.preventDefault();
});

// Progress

const running = { "is-loading": 0, "is-refreshing": 0 };

document.addEventListener("htmx:beforeSend", ({ detail }) => {
  const { target, xhr } = detail;
  const kind = isRefresh(detail) ? "is-refreshing" : "is-loading";
  const { classList } = document.documentElement;
  running[kind] += 1;
  classList.add(kind);
  target.setAttribute("aria-busy", "true");
  xhr.addEventListener("loadend", () => {
    running[kind] -= 1;
    if (!running[kind]) classList.remove(kind);
    target.removeAttribute("aria-busy");
  });
});

// Errors

const place = document.getElementById("request-error");
let failed = null;

// `own`: the error notice of the portal, if it sent one.
const showError = (name, detail, own) => {
  document.dispatchEvent(new CustomEvent("portal:failed", { detail }));
  // A failed refresh does not replace the error of a user action.
  if (isRefresh(detail) && failed && !isRefresh(failed)) return;
  failed = detail;
  const notice = copyTemplate(name);
  const reload = notice.querySelector("a");
  if (reload) reload.href = location.href;
  const status = notice.querySelector("[data-status]");
  if (status) status.textContent = `HTTP ${detail.xhr.status}`;
  // Only server errors are worth a retry.
  if (own && detail.xhr.status >= 500) own.append(notice.querySelector(".alert-action"));
  showNotice(place, own || notice, detail.target);
};

document.addEventListener("click", (event) => {
  if (!failed || !event.target.closest("[data-retry]")) return;
  const { elt, target, requestConfig, pathInfo } = failed;
  failed = null;
  showNotice(place, null, elt.matches(FOCUSABLE) ? elt : target);
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
});

// A redirect to another origin, such as the sign-in page of a proxy, looks like a network error to htmx.
const isRedirectedAway = async () => {
  const request = { method: "HEAD", redirect: "manual", headers: { "Portal-Refresh": 1 } };
  const response = await fetch(location.href, request).catch(() => null);
  return response?.type === "opaqueredirect";
};
document.addEventListener("htmx:timeout", ({ detail }) => showError("error-unreachable", detail));
document.addEventListener("htmx:sendError", async ({ detail }) => {
  showError((await isRedirectedAway()) ? "error-intercepted" : "error-unreachable", detail);
});
// A successful refresh does not remove the error of a user action.
document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
  if (!failed || failed.xhr === detail.xhr || (isRefresh(detail) && !isRefresh(failed))) return;
  failed = null;
  showNotice(place, null, detail.target);
});

// The focus and open details across a swap

let focused = null;
let opened = [];

const describe = (element) =>
  [element.tagName, element.getAttribute("aria-label") || element.textContent.trim(), element.dataset.copy].join("|");

// Two swaps may overlap.
export const noteFocus = (region) => {
  const { activeElement } = document;
  if (!region.contains(activeElement)) return;
  const { id } = activeElement.closest("details.menu")?.firstElementChild ?? activeElement;
  focused = { id, description: describe(activeElement), row: findRow()?.id, typed: activeElement.value };
};

// The same row first: other rows have the same elements.
export const restoreFocus = (region) => {
  if (!focused || !region) return;
  const { id, description, row, typed } = focused;
  focused = null;
  if (document.activeElement === document.body) {
    const within = (row && document.getElementById(row)) || region;
    const alike = [...within.querySelectorAll(FOCUSABLE)].find((each) => describe(each) === description);
    focusOn((id && document.getElementById(id)) || alike || (within !== region && within.querySelector("a")) || region);
  }
  // Keep what was typed in the meantime. (htmx finds a field again by its id.)
  const field = document.activeElement;
  if (id && field.id === id && field.matches("[type=text]") && field.value !== typed) {
    field.value = typed;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
};

// Only a fragment that holds the target's id is swapped in. A notice of the portal is shown beside what is there;
// anything else comes from something between, such as the sign-in page of a proxy.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { serverResponse: text, target, xhr } = detail;
  if (!detail.shouldSwap) return;
  const isPage = /<html[\s>]/i.test(text.slice(0, 600));
  if (isPage || !text.includes(`id="${target.id}"`)) {
    detail.shouldSwap = false;
    const own = isPage ? null : parse(text).querySelector("#error .alert");
    const isIntercepted = !own && (xhr.status < 400 || [401, 403].includes(xhr.status));
    showError(isIntercepted ? "error-intercepted" : "error-failed", detail, own);
  } else if (!isRefresh(detail)) {
    noteFocus(target);
    for (const { id } of target.querySelectorAll("details[open][id]:not(.menu)")) opened.push(id);
  }
});

document.addEventListener("htmx:afterSettle", ({ detail }) => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  opened = [];
  restoreFocus(document.getElementById(detail.target.id));
});

document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  if (elt === document.body) return;
  updateTimes();
  announce((elt.matches("[data-announce]") ? elt : elt.querySelector("[data-announce]"))?.dataset.announce);
});
