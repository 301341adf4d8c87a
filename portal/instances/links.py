"""The addresses of the instance pages, each in its one canonical form."""

from urllib.parse import parse_qsl

from django.urls import reverse

from portal.bycloud import Region
from portal.core.http import add_way_back, encode_query
from portal.instances.columns import read_names
from portal.instances.detail_query import DetailQuery
from portal.instances.list_query import ListView, to_query_string

# The whole list, whatever the reader's default view is: without any parameter, that one is opened.
WHOLE_LIST = "limit=20"


def list_url(region: Region, view: ListView) -> str:
    return list_url_at(reverse("instances:list", args=[region]), view)


def saved_view_url(region: Region, query_string: str) -> str:
    """A saved view's list. Columns that are gone since it was saved are left out, as they are of a reader's own."""
    pairs = [
        (name, ",".join(read_names(text)) if name == "columns" else text) for name, text in parse_qsl(query_string)
    ]
    return f"{reverse('instances:list', args=[region])}?{encode_query(pairs)}"


def list_url_at(path: str, view: ListView) -> str:
    """The same for who has the list's path already, and makes many."""
    return f"{path}?{to_query_string(view) or WHOLE_LIST}"


def instance_url(region: Region, instance_id: str, hints: DetailQuery) -> str:
    """An instance's page. It depends on nothing but the id; the hints make it quicker to find, and lead back."""
    return _join(reverse("instances:detail", args=[region, instance_id]), hints.to_query_string())


def raw_url(region: Region, instance_id: str, *, name: str | None, download: bool = False) -> str:
    """An instance's untouched JSON; with `download`, as a file."""
    pairs = [("name", name or ""), ("download", "1" if download else "")]
    return _join(
        reverse("instances:raw", args=[region, instance_id]), encode_query([pair for pair in pairs if pair[1]])
    )


def credential_url(region: Region, *, next_url: str) -> str:
    """Where the member enters or replaces her credential, and comes back from."""
    return add_way_back(reverse("credentials:edit", args=[region]), next_url)


def _join(path: str, query_string: str) -> str:
    return f"{path}?{query_string}" if query_string else path
