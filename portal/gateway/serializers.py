"""What Django's Redis cache writes with: never pickle, which would let whoever writes to Redis run code here."""

import json
from typing import Any


class BytesSerializer:
    """For the cache `pages`, whose values are bytes already."""

    def dumps(self, value: bytes) -> bytes:
        return value

    def loads(self, value: bytes) -> bytes:
        return value


class JSONSerializer:
    """For the cache `default`: counters (which Redis must see as plain numbers to add to them) and small values."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, value: bytes) -> Any:
        return json.loads(value)
