"""URL converter for a region code in the settings. Views get a `bycloud.Region`."""

from django.conf import settings

from portal.bycloud import Region


class RegionConverter:
    regex = "[a-z0-9-]+"

    def to_python(self, value: str) -> Region:
        region: Region | None = settings.BYCLOUD_REGIONS.get(value)
        if region is None:
            raise ValueError(value)
        return region

    def to_url(self, value: Region | str) -> str:
        return value if isinstance(value, str) else value.code
