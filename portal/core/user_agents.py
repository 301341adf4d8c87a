"""What a `User-Agent` header says about the browser and its system, for people to read.

Only for display: anyone can send any text. Browsers have frozen most of the header, so a short list of names suffices.
"""

import re

from django.utils.translation import gettext as _

# The order matters, because browsers name other browsers, and systems other systems.
_BROWSERS = (
    ("Edge", re.compile(r"Edg(?:A|iOS)?/([0-9]{1,4})")),
    ("Opera", re.compile(r"OPR/([0-9]{1,4})")),
    ("Samsung Internet", re.compile(r"SamsungBrowser/([0-9]{1,4})")),
    ("Firefox", re.compile(r"(?:Firefox|FxiOS)/([0-9]{1,4})")),
    ("Chrome", re.compile(r"(?:HeadlessChrome|Chrome|CriOS)/([0-9]{1,4})")),
    ("Safari", re.compile(r"Version/([0-9]{1,4})[0-9.]* (?:Mobile/\w+ )?Safari/")),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
# Programs name themselves first: "curl/8.5.0".
_PROGRAM = re.compile(r"(?!Mozilla/)([A-Za-z][\w.-]{0,39})/([0-9][\w.]{0,19})")


def describe_user_agent(header: str) -> str:
    """Browser with its version, or a program, and its system: "Firefox 128 on Linux"."""
    system = next((name for sign, name in _SYSTEMS if sign in header), "")
    browser = _find_browser(header) or _("Unknown browser")
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system} if system else browser


def _find_browser(header: str) -> str:
    for name, pattern in _BROWSERS:
        if found := pattern.search(header):
            return f"{name} {found[1]}"
    program = _PROGRAM.match(header)
    return f"{program[1]} {program[2]}" if program else ""
