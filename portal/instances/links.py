"""The canonical URLs of the instance pages."""

from urllib.parse import parse_qsl

from django.urls import reverse

from portal.bycloud import Region
from portal.core.http import add_way_back, encode_query
from portal.instances.columns import read_names
from portal.instances.detail_query import DetailQuery
from portal.instances.list_query import ListView, to_query_string

# The list without filters. Without any parameter, the member's default view would open instead.
WHOLE_LIST = "limit=20"


def list_url(region: Region, view: ListView) -> str:
    return list_url_at(reverse("instances:list", args=[region]), view)


def saved_view_url(region: Region, query_string: str) -> str:
    """The URL of a saved view. Columns that no longer exist are left out, as in preferences."""
    pairs = [
        (name, ",".join(read_names(text)) if name == "columns" else text) for name, text in parse_qsl(query_string)
    ]
    return f"{reverse('instances:list', args=[region])}?{encode_query(pairs)}"


def list_url_at(path: str, view: ListView) -> str:
    """The same with the list's path given, for callers that build many URLs."""
    return f"{path}?{to_query_string(view) or WHOLE_LIST}"


def instance_url(region: Region, instance_id: str, hints: DetailQuery) -> str:
    """The URL of an instance's page. Only the id is required; the hints make it faster to find, and link back."""
    return _join(reverse("instances:detail", args=[region, instance_id]), hints.to_query_string())


def raw_url(region: Region, instance_id: str, *, name: str | None, download: bool = False) -> str:
    """The URL of an instance's raw JSON; with `download`, as a file."""
    pairs = [("name", name or ""), ("download", "1" if download else "")]
    return _join(
        reverse("instances:raw", args=[region, instance_id]), encode_query([pair for pair in pairs if pair[1]])
    )


def credential_url(region: Region, *, next_url: str) -> str:
    """Where the member adds or replaces their credential, and then returns to `next_url`."""
    return add_way_back(reverse("credentials:edit", args=[region]), next_url)


def _join(path: str, query_string: str) -> str:
    return f"{path}?{query_string}" if query_string else path
