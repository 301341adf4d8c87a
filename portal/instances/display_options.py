"""How a list is shown: by its URL, or else by the member's preferences."""

import msgspec

from portal.accounts.models import Member
from portal.instances.columns import read_names
from portal.instances.list_query import ListView, with_look


class DisplayOptions(msgspec.Struct, frozen=True):
    """Column names in the order of the table, and a density."""

    columns: tuple[str, ...]
    density: str


def choose_display_options(view: ListView, member: Member) -> DisplayOptions:
    return DisplayOptions(view.columns or read_names(member.columns), view.density or member.density)


def pin(view: ListView, layout: DisplayOptions) -> ListView:
    """The same view with columns and density in its URL, so that it looks the same for everyone."""
    return with_look(view, columns=layout.columns, density=layout.density)
