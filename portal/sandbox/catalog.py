"""The parts of instances: flavors, images, and consistent combinations of the four state fields."""

import uuid
from dataclasses import dataclass
from typing import Any

_NAMESPACE = uuid.UUID("0b1c10d0-5a4d-4b0f-8e55-5eed00000001")


def _flavor(name: str, vcpus: int, ram: int, disk: int) -> dict[str, Any]:
    """`ram` in MiB, `disk` in GB, as the example in the docs suggests."""
    identifier = str(uuid.uuid5(_NAMESPACE, f"flavor/{name}"))
    return {"id": identifier, "name": name, "vcpus": vcpus, "ram": ram, "disk": disk}


def _image(name: str) -> dict[str, Any]:
    return {"id": str(uuid.uuid5(_NAMESPACE, f"image/{name}")), "name": name}


FLAVORS = {
    flavor["name"]: flavor
    for flavor in (
        _flavor("m1.tiny", 1, 512, 1),
        _flavor("m1.small", 1, 2048, 20),
        _flavor("m1.medium", 2, 4096, 40),
        _flavor("m1.large", 4, 8192, 80),
        _flavor("m1.xlarge", 8, 16384, 160),
        _flavor("c1.large", 8, 8192, 40),
        _flavor("r1.large", 4, 32768, 80),
        _flavor("r1.2xlarge", 16, 131072, 320),
    )
}
IMAGES = {
    image["name"]: image
    for image in (
        _image("Ubuntu 22.04 LTS"),
        _image("Ubuntu 24.04 LTS"),
        _image("Debian 12"),
        _image("Debian 13"),
        _image("Rocky Linux 9"),
        _image("Windows Server 2022"),
    )
}


@dataclass(frozen=True)
class InstanceState:
    """The four state fields, as the API spells them."""

    status: str
    power_state: str | None
    vm_state: str | None
    task_state: str | None = None

    def fields(self) -> dict[str, str | None]:
        return {
            "status": self.status,
            "power_state": self.power_state,
            "task_state": self.task_state,
            "vm_state": self.vm_state,
        }


ACTIVE = InstanceState("ACTIVE", "RUNNING", "ACTIVE")
BUILDING = InstanceState("BUILD", "NOSTATE", "BUILDING", "spawning")
STOPPED = InstanceState("SHUTOFF", "SHUTDOWN", "STOPPED")
FAILED = InstanceState("ERROR", "NOSTATE", "ERROR")
PAUSED = InstanceState("PAUSED", "PAUSED", "PAUSED")
SUSPENDED = InstanceState("SUSPENDED", "SUSPENDED", "SUSPENDED")
SHELVED = InstanceState("SHELVED_OFFLOADED", "SHUTDOWN", "SHELVED_OFFLOADED")
RESIZING = InstanceState("RESIZE", "RUNNING", "ACTIVE", "resize_migrating")
RESIZED = InstanceState("VERIFY_RESIZE", "RUNNING", "RESIZED")
REBOOTING = InstanceState("REBOOT", "RUNNING", "ACTIVE", "rebooting")
MIGRATING = InstanceState("MIGRATING", "RUNNING", "ACTIVE", "migrating")
RESCUED = InstanceState("RESCUE", "RUNNING", "RESCUED")
SOFT_DELETED = InstanceState("SOFT_DELETED", "SHUTDOWN", "SOFT_DELETED")
UNKNOWN = InstanceState("UNKNOWN", None, None)
HIBERNATING = InstanceState("HIBERNATING", "CRYOSLEEP", "HIBERNATING", "freezing-memory")
ACTIVE_BUT_OFF = InstanceState("ACTIVE", "SHUTDOWN", "ACTIVE")
STOPPING = InstanceState("ACTIVE", "RUNNING", "ACTIVE", "powering-off")
DELETING = InstanceState("ACTIVE", "RUNNING", "ACTIVE", "deleting")
SNAPSHOTTING = InstanceState("ACTIVE", "RUNNING", "ACTIVE", "image_uploading")
