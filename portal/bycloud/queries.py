"""The query of `GET /v1/instances`: the seven documented parameters."""

from urllib.parse import quote, urlencode

import msgspec

PATH = "/v1/instances"
# The documented page size where none is given, and the largest that the portal asks for: a maximum is not documented.
DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100


class InstanceQuery(msgspec.Struct, frozen=True):
    """A query to the list endpoint. A parameter that is None (or an empty tuple) is not sent.

    `name` is exact, or a prefix if it ends in `*`. `tags` are sent comma-separated. `flavor_id`, `image_id` and
    `marker` are UUIDs in lower case. `limit` is a positive number of items. Source: api/compute/list-instances.
    """

    name: str | None = None
    status: str | None = None
    tags: tuple[str, ...] = ()
    flavor_id: str | None = None
    image_id: str | None = None
    limit: int | None = None
    marker: str | None = None

    @property
    def has_filters(self) -> bool:
        """Whether it asks for some instances only; a page size and a marker ask for a part of all."""
        return bool(self.name or self.status or self.tags or self.flavor_id or self.image_id)

    def to_parameters(self) -> list[tuple[str, str]]:
        """The parameters that are set, in the order of the fields, as the API takes them."""
        given = [
            ("name", self.name),
            ("status", self.status),
            ("tags", ",".join(self.tags)),
            ("flavor_id", self.flavor_id),
            ("image_id", self.image_id),
            ("limit", None if self.limit is None else str(self.limit)),
            ("marker", self.marker),
        ]
        return [(name, value) for name, value in given if value]

    def to_query_string(self) -> str:
        """The canonical query string: fields in order, percent-encoded (a space is `%20`), no empty parameters.

        `*` and `,` are not encoded, as in the examples of the docs; RFC 3986 allows both in a query.
        """
        return urlencode(self.to_parameters(), quote_via=quote, safe="*,")

    def to_target(self) -> str:
        """Path and query string of the request, as it is sent."""
        query_string = self.to_query_string()
        return f"{PATH}?{query_string}" if query_string else PATH
