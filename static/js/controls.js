/* Copy buttons, menus, dialogs, keyboard shortcuts, and fields that the script fills in. */

import { announce, copyTemplate, findRow, texts } from "./page.js";

// Copy buttons

const toasts = document.getElementById("toasts");

const readCopy = ({ dataset, parentElement, previousElementSibling }) => {
  if (parentElement.matches("[data-instance-id] > th")) return parentElement.parentElement.dataset.instanceId;
  return dataset.copy || previousElementSibling.textContent;
};

export const copyText = async (text) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // The clipboard API is not available on plain HTTP.
  const area = document.createElement("textarea");
  area.className = "visually-hidden";
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("The browser did not copy the text");
};

export const showToast = (name, text) => {
  const toast = copyTemplate(name).firstElementChild;
  toast.querySelector("p").textContent = text;
  toasts.replaceChildren(toast);
  setTimeout(() => toast.remove(), 4000);
};

// With the shortcut the focus stays on the row, and the button may not be visible: a toast shows what was copied.
const copyFrom = async (button, isByKey) => {
  const text = readCopy(button);
  const isCopied = await copyText(text).then(() => true, () => false);
  const message = isCopied ? texts.copied : texts.notCopied;
  if (isByKey) {
    showToast(isCopied ? "toast" : "toast-error", isCopied ? `${message}: ${text}` : message);
    return;
  }
  button.focus({ preventScroll: true });
  announce(message);
  button.toggleAttribute("data-copied", isCopied);
  setTimeout(() => button.removeAttribute("data-copied"), 1600);
};

document.addEventListener("pointerover", ({ target }) => {
  if (target.closest("td, th, .copy")) import(texts.tooltips).catch(() => null);
});

// Menus and dialogs

const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
};

document.addEventListener("toggle", ({ target }) => {
  const link = target.querySelector(".active-filter > [open] > a");
  if (link) htmx.ajax("get", link.href, { source: link, target: link });
}, true);

// With a modifier key, a link is the browser's: htmx and the handler below must not see the click.
document.addEventListener("click", (event) => {
  const { altKey, ctrlKey, metaKey, shiftKey, target } = event;
  if ((altKey || ctrlKey || metaKey || shiftKey) && target.closest("a[href]")) event.stopPropagation();
}, true);

document.addEventListener("click", (event) => {
  const { target } = event;
  closeMenus(target);
  const button = target.closest("[data-copy]");
  if (button) copyFrom(button, false);
  const opener = target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    // The dialog returns the focus to the menu button when it is closed.
    opener.closest("details")?.querySelector("summary").focus();
    document.getElementById(opener.dataset.dialog).showModal();
  }
  // A click on the backdrop has the dialog itself as its target.
  if (target.matches("dialog")) target.close();
});
document.addEventListener("focusin", ({ target }) => {
  closeMenus(target);
});

// What few pages ever need is loaded with its field or form.
const load = ({ dataset: { script } }, target) => {
  if (script) import(script).then(({ enhance }) => enhance(target));
};
document.addEventListener("focusin", ({ target }) => load(target, target));
document.addEventListener("change", ({ target }) => load(target.form || target, target));
const selection = document.getElementById("selection");
if (selection && sessionStorage.selection) load(selection);

// Keyboard shortcuts

const press = (selector) => document.querySelector(selector)?.click();

const goToRow = (by) => {
  const links = [...document.querySelectorAll("[data-instance-id] th a")];
  // Coming back from an instance, start from its row.
  const row = findRow() || document.querySelector("[data-instance-id]:target");
  const link = links[row ? links.findIndex((each) => row.contains(each)) + by : 0];
  link?.focus();
  link?.closest("tr").scrollIntoView({ block: "nearest" });
};

const SHORTCUTS = {
  "/": () => {
    const search = document.querySelector("[data-search]");
    search?.focus();
    search?.select();
  },
  "?": () => document.getElementById("shortcuts")?.showModal(),
  j: () => goToRow(1),
  k: () => goToRow(-1),
  r: () => press("[data-shortcut=r]"),
  p: () => press("[data-live-pause]"),
  c: () => {
    const button = (findRow() || document.querySelector("#instance .ids"))?.querySelector("[data-copy]");
    if (button) copyFrom(button, true);
  },
  "[": () => press("a[rel=prev]"),
  "]": () => press("a[rel=next]"),
};

const runShortcut = (event) => {
  const { key, target } = event;
  // AltGr, which some keyboard layouts need for brackets, is reported as Ctrl and Alt.
  const isAlone = event.getModifierState("AltGraph") || !(event.ctrlKey || event.metaKey || event.altKey);
  const isTyping = event.isComposing || target.isContentEditable || target.matches("input, textarea, select");
  if (!("shortcuts" in document.body.dataset) || !isAlone || isTyping) return;
  if (!Object.hasOwn(SHORTCUTS, key) || (event.repeat && !"jk".includes(key))) return;
  event.preventDefault();
  SHORTCUTS[key]();
};

document.addEventListener("keydown", (event) => {
  // An open dialog handles its own keys.
  if (document.querySelector("dialog[open]")) return;
  if (event.key !== "Escape") {
    runShortcut(event);
    return;
  }
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  } else if (document.activeElement.matches(".ago")) {
    document.activeElement.toggleAttribute("data-dismissed", true);
  }
});
document.addEventListener("focusout", ({ target }) => target.removeAttribute?.("data-dismissed"));

// Forms that return to the current page, whose URL htmx may have changed. (A response to a form has the form's URL.)
document.addEventListener("submit", ({ target }) => {
  // What is invalid in the URL is not part of the list that is shown.
  const field = !document.getElementById("refused") && target.querySelector("[data-current-url]");
  if (field && ["", location.pathname].includes(field.dataset.currentUrl)) field.value = location.pathname + location.search;
});
