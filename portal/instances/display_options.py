"""How a list is shown to this reader: what its address says, and her own preferences where it says nothing."""

import msgspec

from portal.accounts.models import Member
from portal.instances.columns import read_names
from portal.instances.list_query import ListView, with_look


class DisplayOptions(msgspec.Struct, frozen=True):
    """Names of columns in the order of the table, and a density."""

    columns: tuple[str, ...]
    density: str


def choose_display_options(view: ListView, member: Member) -> DisplayOptions:
    return DisplayOptions(view.columns or read_names(member.columns), view.density or member.density)


def pin(view: ListView, layout: DisplayOptions) -> ListView:
    """The same view for everybody: its address says the columns and the density, too."""
    return with_look(view, columns=layout.columns, density=layout.density)
