import msgspec


class Region(msgspec.Struct, frozen=True):
    """A region code such as `spo1` and its base URL, such as `https://api.spo1.mycloud.com` (no trailing slash)."""

    code: str
    base_url: str
