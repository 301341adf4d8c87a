/* Tooltips, which are only under the pointer because a list would have hundreds: what a button copies, the whole of what is cut, and with a name its ID. Loaded when the pointer is first over one of them. */

const PARTS = ".copy, [data-instance-id] :is(th, code, .tag, .fault, .c-state, .c-flavor, .c-image, [data-label])";

const show = ({ target }) => {
  const part = target.closest(PARTS);
  if (!part) return;
  const id = part.matches("th") && part.parentElement.dataset.instanceId;
  if (!id && !part.ariaLabel && part.scrollWidth <= part.clientWidth) return;
  part.title = part.ariaLabel || part.innerText + (id ? ` · ${id}` : "");
  part.addEventListener("pointerleave", () => part.removeAttribute("title"), { once: true });
};

document.addEventListener("pointerover", show);
const target = [...document.querySelectorAll(":hover")].at(-1);
if (target) show({ target });
