"""Measures boxes on a rendered page: overflow, overlap, clipped content, targets that are too small.

Independent of the portal's pages, except that `.sections` may scroll and a `.table-scroll`, unless it is fitted, with
its headings, and that `.visually-hidden` is invisible. What ends in an ellipsis is cut on purpose.
"""

from typing import Any

from playwright.sync_api import Page

SMALLEST_TARGET = 24

# One pass over the page: the answers need layout, which is dear, and the styles of each element.
_MEASURE = """smallest => {
    const found = [], root = document.documentElement;
    const words = element => element.tagName.toLowerCase() + (element.id ? `#${element.id}` : '')
        + [...element.classList].map(name => `.${name}`).join('')
        + ` "${element.textContent.trim().replace(/\\s+/g, ' ').slice(0, 40)}"`;
    const hidden = '.visually-hidden, .skip-link, template, [hidden]';
    const scrollers = '.table-scroll:not(.is-fitted), .table-scroll thead tr, .sections';
    const fields = 'input:not([type=hidden]), select, textarea, button, summary, a[href]';
    const overlap = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1
        && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1;
    const round = number => Math.round(number * 10) / 10;
    if (root.scrollWidth > root.clientWidth)
        found.push(`the page is ${root.scrollWidth} px wide in a window of ${root.clientWidth}`);
    for (const element of document.body.querySelectorAll('*')) {
        if (element.closest(hidden) || !element.checkVisibility({visibilityProperty: true})) continue;
        const box = element.getBoundingClientRect(), style = getComputedStyle(element);
        if (box.width <= 1 || box.height <= 1) continue;
        const scrolls = element.parentElement.closest(scrollers);
        if (!scrolls && (box.right > root.clientWidth + 1 || box.left < -1))
            found.push(`reaches from ${round(box.left)} to ${round(box.right)}: ${words(element)}`);
        const runsOver = element.scrollWidth > element.clientWidth + 1 && style.display !== 'inline'
            && !element.matches('input, select, textarea, svg, svg *, progress');
        if (runsOver && /auto|scroll/.test(style.overflowX) && !element.matches(scrollers))
            found.push(`scrolls sideways: ${words(element)}`);
        const isCut = /hidden|clip/.test(style.overflowX) && style.textOverflow !== 'ellipsis';
        if (runsOver && isCut && element !== root && element !== document.body)
            found.push(`is cut off: ${words(element)}`);
        if (!element.matches(fields) || element.disabled) continue;
        const next = (element.closest('label') || element).nextElementSibling;
        if (element.matches('[type=checkbox]') && next?.matches('a') && overlap(box, next.getBoundingClientRect()))
            found.push(`lies over what stands beside it: ${words(element)}`);
        // A link in a sentence is as high as its line; WCAG 2.5.8 excepts it.
        const around = [...element.parentElement.childNodes].filter(node => node.nodeType === Node.TEXT_NODE);
        if (style.display === 'inline' && around.some(node => node.data.trim().length > 1)) continue;
        const labels = [...(element.labels || [])].filter(label => element.matches('[type=radio], [type=checkbox]'));
        const boxes = [box, ...labels.map(label => label.getBoundingClientRect())];
        if (!boxes.some(one => one.width >= smallest - 0.5 && one.height >= smallest - 0.5))
            found.push(`is ${round(box.width)} × ${round(box.height)} px: ${words(element)}`);
    }
    return found;
}"""


def find_faults(page: Page) -> list[str]:
    """What is wrong with boxes in the window as wide as it is now, each once, in words."""
    found: list[Any] = page.evaluate(_MEASURE, SMALLEST_TARGET)
    return list(dict.fromkeys(str(fault) for fault in found))


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth"))
