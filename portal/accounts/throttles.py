"""The cache `default`: rate limit counters and used one-time codes, in the database.

There, they survive a restart and are not evicted. An IP address creates only a few rows, because the limits per name
come after the limit per address. Expired rows are deleted when others are written.
"""

import json
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from portal.accounts.models import Count

PRUNED_AT_ONCE = 100
_NEVER = datetime.max.replace(tzinfo=UTC)


class DatabaseCache(BaseCache):
    """Stores values as JSON. Django's database cache uses pickle, counts all rows at each write, and evicts rows."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        kept = self._find(key, version).filter(expires_at__gt=timezone.now()).values_list("value", flat=True).first()
        return default if kept is None else json.loads(kept)

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        row = self._make(key, value, timeout, version)
        Count.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["key"], update_fields=["value", "expires_at"]
        )
        self._prune()

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        row = self._make(key, value, timeout, version)
        over = self._find(key, version).filter(expires_at__lte=timezone.now())
        if over.update(value=row.value, expires_at=row.expires_at):
            return True
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            return False
        return True

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        with transaction.atomic():
            row = self._find(key, version).filter(expires_at__gt=timezone.now()).select_for_update().first()
            if row is None:
                raise ValueError(f"Key {key!r} not found")
            count = int(json.loads(row.value)) + delta
            row.value = json.dumps(count)
            row.save(update_fields=["value"])
        return count

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        kept = self._find(key, version).filter(expires_at__gt=timezone.now())
        return bool(kept.update(expires_at=self._find_end(timeout)))

    def delete(self, key: str, version: int | None = None) -> bool:
        return bool(self._find(key, version).delete()[0])

    def clear(self) -> None:
        Count.objects.all().delete()

    def _find(self, key: str, version: int | None) -> "models.QuerySet[Count]":
        return Count.objects.filter(key=self.make_and_validate_key(key, version=version))

    def _make(self, key: str, value: Any, timeout: Any, version: int | None) -> Count:
        full_key = self.make_and_validate_key(key, version=version)
        return Count(key=full_key, value=json.dumps(value), expires_at=self._find_end(timeout))

    def _find_end(self, timeout: Any) -> datetime:
        ends_at = self.get_backend_timeout(timeout)
        return _NEVER if ends_at is None else datetime.fromtimestamp(ends_at, tz=UTC)

    def _prune(self) -> None:
        over = Count.objects.filter(expires_at__lte=timezone.now())
        if keys := list(over.values_list("key", flat=True)[:PRUNED_AT_ONCE]):
            # The filter again, so that counters renewed in the meantime are not deleted.
            over.filter(key__in=keys).delete()
