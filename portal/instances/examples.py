"""Examples of queries, for the help beside the search box. All of them find something in the sandbox."""

from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from portal.bycloud import Region
from portal.instances.links import ListView, list_url

EXAMPLES = (
    ("web-1", _("Part of a name, address, ID, MAC address or any other text")),
    ('"web server"', _("Several words in this order")),
    ("web-*", _("Begins with this; *14 ends with it")),
    ("status:ERROR,BUILD", _("One of several values")),
    ("tag:web -tag:frontend", _("One tag, but not another one")),
    ("meta.team:storefront", _("A metadata value")),
    ("ip:10.16.0.0/16", _("An address in a network, or a single one")),
    ("network:storage image:Debian*", _("On a network, with an image that begins with this")),
    ("ram>=8 vcpus:2..4", _("At least 8 GiB of RAM, from two to four vCPUs")),
    ("created<30d", _("Less than 30 days old (h, d, w, y)")),
)


class Example(NamedTuple):
    text: str
    meaning: str
    url: str


@lru_cache(maxsize=64)
def list_examples(region: Region, _language: str | None) -> tuple[Example, ...]:
    """Looked up once per language, because every page has them."""
    return tuple(Example(text, str(meaning), list_url(region, ListView(), q=text)) for text, meaning in EXAMPLES)
