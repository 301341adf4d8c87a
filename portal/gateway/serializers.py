"""The serializer for Django's Redis cache. Not pickle, with which write access to Redis would mean code execution."""


class BytesSerializer:
    """For the caches `pages` and `counters`, whose values are bytes already."""

    def dumps(self, value: bytes) -> bytes:
        return value

    def loads(self, value: bytes) -> bytes:
        return value
