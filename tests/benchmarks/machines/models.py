"""A table with the list's fields of an instance. It has no migrations: `migrate --run-syncdb` creates it."""

from typing import Any, Self

from django.db import models


class Machine(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=255, db_index=True)
    status = models.CharField(max_length=64, db_index=True)
    addresses = models.CharField(max_length=255)
    flavor = models.CharField(max_length=255)
    image = models.CharField(max_length=255)
    tags = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "machines"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def of(cls, instance: dict[str, Any]) -> Self:
        """A row of an instance as the API gives it."""
        networks = (instance.get("addresses") or {}).values()
        return cls(
            id=instance["id"],
            name=instance.get("name") or "",
            status=instance.get("status") or "",
            addresses=", ".join(address["addr"] for network in networks for address in network)[:255],
            flavor=(instance.get("flavor") or {}).get("name") or "",
            image=(instance.get("image") or {}).get("name") or "",
            tags=", ".join(instance.get("tags") or ())[:255],
            created_at=instance["created_at"],
        )


class SearchedMachine(Machine):
    """The same rows, for an admin that searches all their texts."""

    class Meta:
        app_label = "machines"
        ordering = ("-created_at",)
        proxy = True
