"""Tables with the fields of an instance. They have no migrations: `migrate --run-syncdb` creates them."""

from typing import Any, Self

from django.db import models


class _Row(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=255, db_index=True)
    status = models.CharField(max_length=64, db_index=True)
    addresses = models.CharField(max_length=255)
    flavor = models.CharField(max_length=255)
    image = models.CharField(max_length=255)
    tags = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        abstract = True
        app_label = "machines"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def of(cls, instance: dict[str, Any]) -> Self:
        """A row of an instance as the API gives it."""
        return cls(**read_columns(instance))


class Machine(_Row):
    """The columns that lists show."""


class SearchedMachine(_Row):
    """All that the portal searches, as far as it is text."""

    description = models.CharField(max_length=255)
    crn = models.CharField(max_length=255)
    networks = models.CharField(max_length=255)
    mac_addresses = models.CharField(max_length=255)
    security_groups = models.CharField(max_length=255)
    key_names = models.CharField(max_length=255)
    volumes = models.CharField(max_length=255)
    metadata = models.CharField(max_length=1000)

    @classmethod
    def of(cls, instance: dict[str, Any]) -> Self:
        addresses = list_addresses(instance)
        texts = {
            "networks": instance.get("addresses") or (),
            "mac_addresses": (address.get("mac_addr") or "" for address in addresses),
            "security_groups": (group["name"] for group in instance.get("security_groups") or ()),
            "key_names": instance.get("key_names") or (),
            "volumes": (volume["id"] for volume in instance.get("volumes_attached") or ()),
            "metadata": (f"{key}={value}" for key, value in (instance.get("metadata") or {}).items()),
        }
        return cls(
            **read_columns(instance),
            description=(instance.get("description") or "")[:255],
            crn=instance.get("crn") or "",
            **{name: ", ".join(each)[:255] for name, each in texts.items()},
        )


def read_columns(instance: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": instance["id"],
        "name": instance.get("name") or "",
        "status": instance.get("status") or "",
        "addresses": ", ".join(address["addr"] for address in list_addresses(instance))[:255],
        "flavor": (instance.get("flavor") or {}).get("name") or "",
        "image": (instance.get("image") or {}).get("name") or "",
        "tags": ", ".join(instance.get("tags") or ())[:255],
        "created_at": instance["created_at"],
    }


def list_addresses(instance: dict[str, Any]) -> list[dict[str, Any]]:
    return [address for network in (instance.get("addresses") or {}).values() for address in network]
