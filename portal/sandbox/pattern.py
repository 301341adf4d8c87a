"""The pattern that a fleet repeats: the servers of a realistic team, with all the edge cases that a table must handle.

Made of data and a seeded shuffle only, without times or sequence numbers.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portal.sandbox import catalog
from portal.sandbox.catalog import FLAVORS, IMAGES, InstanceState

LONG_NAME = "a-very-long-name-" + "0123456789" * 23 + "-the-end"
LONG_TEXT = "A description that goes on and on. " * 120
RIGHT_TO_LEFT_OVERRIDE = "\u202e"


@dataclass(frozen=True)
class InstanceFault:
    """A fault without its date."""

    code: int
    message: str
    details: str


NO_HOST = InstanceFault(
    500,
    "No valid host was found. There are not enough hosts available.",
    "Traceback (most recent call last):\n"
    '  File "conductor/manager.py", line 692, in build_instances\n'
    "    hosts = self._schedule_instances(context, request_spec)\n"
    "NoValidHost: No valid host was found. There are not enough hosts available.",
)
NO_VOLUME = InstanceFault(
    413, "Volume resource quota exceeded", "Maximum number of volumes allowed (10) exceeded for quota 'volumes'."
)
MARKED_UP = InstanceFault(
    500, "Build of <b>instance</b> aborted: \"disk\" & 'network'", "<script>alert('fault')</script>"
)


@dataclass(frozen=True)
class Slot:
    """A position in the pattern. Networks are kinds that `addresses.py` defines.

    Its instances are called `web-01`, `web-23`, `web-45` for the stem `web-` and the numbers 1, 23, 45; without numbers
    `canary`, `canary-02`, `canary-03`.
    """

    stem: str
    numbers: range | None
    description: str | None
    state: InstanceState
    flavor: dict[str, Any] | None
    image: dict[str, Any] | None
    networks: tuple[str, ...]
    security_groups: tuple[str, ...]
    volumes: int
    key_names: tuple[str, ...]
    metadata: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    fault: InstanceFault | None = None
    is_terminated: bool = False

    def name(self, block: int) -> str:
        """The name of its instance in this repetition of the pattern, the first is 0."""
        if self.numbers is not None:
            return f"{self.stem}{self.numbers[block]:02d}"
        return f"{self.stem}-{block + 1:02d}" if block else self.stem


@dataclass(frozen=True)
class Group:
    """A kind of server. The pattern contains `count` of them."""

    stem: str
    count: int
    description: str
    flavors: tuple[str, ...]
    images: tuple[str, ...]
    networks: tuple[str, ...]
    security_groups: tuple[str, ...]
    tags: tuple[str, ...]
    team: str
    environment: str = "production"
    volumes: int = 0


_UBUNTU = ("Ubuntu 22.04 LTS", "Ubuntu 24.04 LTS")
_DEBIAN = ("Debian 12", "Debian 13")

ACME_GROUPS = (
    Group("web-", 22, "Public web server", ("m1.medium", "m1.large"), _UBUNTU, ("private", "public"),
         ("default", "web"), ("web", "frontend"), "storefront"),
    Group("web-staging-", 6, "Web server of the staging site", ("m1.small",), _UBUNTU, ("private",),
         ("default", "web"), ("web", "frontend"), "storefront", "staging"),
    Group("api-", 14, "Public API", ("m1.large", "c1.large"), _UBUNTU, ("private",),
         ("default", "api"), ("api", "backend"), "platform"),
    Group("api-staging-", 4, "API of the staging site", ("m1.medium",), _UBUNTU, ("private",),
         ("default", "api"), ("api", "backend"), "platform", "staging"),
    Group("worker-", 24, "Background jobs", ("c1.large", "m1.large"), _DEBIAN, ("private",),
         ("default",), ("worker", "backend"), "platform"),
    Group("db-", 10, "PostgreSQL", ("r1.large", "r1.2xlarge"), _DEBIAN, ("private", "storage"),
         ("default", "database"), ("db", "postgresql"), "data", volumes=2),
    Group("cache-", 8, "Redis", ("r1.large",), _DEBIAN, ("private",), ("default", "cache"), ("cache", "redis"), "data"),
    Group("queue-", 5, "RabbitMQ", ("m1.large",), _DEBIAN, ("private",),
         ("default", "queue"), ("queue", "backend"), "platform", volumes=1),
    Group("search-", 6, "OpenSearch", ("r1.large",), ("Rocky Linux 9",), ("private", "storage"),
         ("default", "search"), ("search", "db"), "data", volumes=1),
    Group("ci-runner-", 9, "Builds and tests", ("c1.large",), _UBUNTU, ("private",),
         ("default",), ("ci",), "tools", "tools"),
    Group("lb-", 4, "Load balancer", ("m1.small",), _DEBIAN, ("private", "public"),
         ("default", "web"), ("lb", "frontend"), "network"),
    Group("monitor-", 3, "Prometheus and Grafana", ("m1.xlarge",), ("Rocky Linux 9",), ("private", "management"),
         ("default",), ("monitoring",), "tools", volumes=1),
    Group("dev-", 6, "A developer's machine", ("m1.medium", "m1.large"), _UBUNTU, ("private",),
         ("default", "ssh"), ("dev",), "platform", "development"),
)  # fmt: skip
GLOBEX_GROUPS = (
    Group("shop-", 5, "Online shop", ("m1.medium",), _UBUNTU, ("private", "public"),
         ("default", "web"), ("web", "shop"), "shop"),
    Group("ledger-", 3, "Ledger database", ("r1.large",), ("Rocky Linux 9",), ("private", "storage"),
         ("default", "database"), ("db",), "finance", volumes=1),
    Group("mail-", 2, "Mail relay", ("m1.small",), _DEBIAN, ("private", "public"),
         ("default", "mail"), ("mail",), "office"),
    Group("vpn-", 1, "Way in for the staff", ("m1.small",), _DEBIAN, ("public",), ("default",), ("vpn",), "office"),
    Group("gate-", 1, "Jump host", ("m1.tiny",), _DEBIAN, ("private", "public"), ("ssh",), ("ssh",), "office"),
)  # fmt: skip


def _odd(
    name: str,
    state: InstanceState = catalog.ACTIVE,
    *,
    description: str | None = None,
    flavor: str | None = "m1.medium",
    image: str | None = "Ubuntu 22.04 LTS",
    networks: tuple[str, ...] = ("private",),
    volumes: int = 0,
    keys: tuple[str, ...] = ("deploy",),
    metadata: tuple[tuple[str, str], ...] = (("environment", "production"),),
    tags: tuple[str, ...] = (),
    fault: InstanceFault | None = None,
    groups: tuple[str, ...] = ("default",),
    is_terminated: bool = False,
) -> Slot:
    return Slot(
        stem=name,
        numbers=None,
        description=description,
        state=state,
        flavor=FLAVORS[flavor] if flavor else None,
        image=IMAGES[image] if image else None,
        networks=networks,
        security_groups=groups,
        volumes=volumes,
        key_names=keys,
        metadata=metadata,
        tags=tags,
        fault=fault,
        is_terminated=is_terminated,
    )


_ODD = (
    _odd("report*final", description="A star inside the name", tags=("legacy",)),
    _odd("legacy*", catalog.STOPPED, description="A star at the end of the name", tags=("legacy",)),
    _odd("intranet, old (floor 2)", catalog.STOPPED, description="A comma", image="Windows Server 2022"),
    _odd("<b>x</b> \"'&", description="<script>alert(1)</script> & \"more\" 'quotes'",
         metadata=(("<i>key</i>", "<img src=x onerror=alert(1)>"), ("quote\"'", "&amp;")), tags=("<b>tag</b>",),
         fault=MARKED_UP),
    _odd('=HYPERLINK("http://example.invalid","x")', description="+1-1", metadata=(("@formula", "=1+1"),)),
    _odd("база-данных", description="Имя кириллицей", tags=("данные",), metadata=(("команда", "Данные"),)),
    _odd("数据库-主", description="主数据库", tags=("数据库",), networks=("private", "storage")),
    _odd("שרת-דואר", description="שרת הדואר של המשרד", tags=("דואר",)),
    _odd("خادم-الويب 7", description="خادم", tags=("web",)),
    _odd(f"invoice{RIGHT_TO_LEFT_OVERRIDE}fdp.exe", catalog.STOPPED, description="A mark that turns the text round"),
    _odd("🚀-launch-é", tags=("🚀",)),
    _odd(LONG_NAME, description=LONG_TEXT, metadata=(("note", "long " * 200),), tags=("t" * 60, "u" * 60)),
    _odd("0", flavor="m1.tiny", description=""),
    _odd("canary", catalog.UNKNOWN, tags=("canary",)),
    _odd("canary", tags=("canary", "production"), description="The second of two with one name"),
    _odd("image-builder", catalog.SNAPSHOTTING, flavor="c1.large", tags=("ci",)),
    _odd("no-flavor", flavor=None, description="Its flavor is gone"),
    _odd("volume-booted", image=None, volumes=1, description="Boots from a volume, has no image"),
    _odd("isolated", networks=(), groups=(), description="No address"),
    _odd("bare", catalog.STOPPED, flavor=None, image=None, networks=(), keys=(), metadata=(), groups=(),
         description=None),
    _odd("router-lab", networks=("private", "public", "storage", "management", "lab-a", "lab-b", "lab-c"),
         tags=("network", "lab", "ipv6", "router", "test", "keep"), volumes=5,
         keys=("deploy", "ada-laptop", "otto-yubikey", "break-glass"), flavor="r1.2xlarge"),
    _odd("hibernation-trial", catalog.HIBERNATING, tags=("lab",)),
    _odd("erp-test", catalog.ACTIVE_BUT_OFF, image="Windows Server 2022", tags=("erp",)),
    _odd("erp", catalog.ACTIVE, image="Windows Server 2022", tags=("erp", "production"), fault=NO_VOLUME,
         is_terminated=True, description="Runs, though an old fault is still noted"),
    _odd("archive", catalog.SHELVED, flavor="m1.large", tags=("archive",), volumes=3),
    _odd("retired", catalog.SOFT_DELETED, tags=("archive",), is_terminated=True),
)  # fmt: skip

# Among the newest of each repetition of the pattern, oldest first: these are near the top of the list.
_NEWEST = (
    _odd("analytics", catalog.RESIZED, flavor="r1.2xlarge", tags=("db", "analytics"), volumes=2,
         description="ClickHouse"),
    _odd("build-farm", catalog.SUSPENDED, flavor="c1.large", image="Debian 13", tags=("ci",),
         description="On weekdays"),
    _odd("gpu-batch", catalog.FAILED, flavor="r1.2xlarge", image="Ubuntu 24.04 LTS", networks=(), fault=NO_HOST,
         tags=("worker", "batch"), description="Nightly forecasts"),
)  # fmt: skip
_STATES = {
    ("worker-", 3): catalog.STOPPED,
    ("worker-", 8): catalog.MIGRATING,
    ("worker-", 21): catalog.STOPPED,
    ("web-staging-", 2): catalog.STOPPED,
    ("api-", 12): catalog.REBOOTING,
    ("api-staging-", 1): catalog.PAUSED,
    ("dev-", 1): catalog.SUSPENDED,
    ("dev-", 3): catalog.STOPPED,
    ("dev-", 5): catalog.RESCUED,
    ("search-", 5): catalog.RESIZING,
    ("web-", 21): catalog.BUILDING,
    ("web-", 20): InstanceState("BUILD", "NOSTATE", "BUILDING", "networking"),
}
_FAULTS = {("ci-runner-", 6): NO_VOLUME}
_STATES |= dict.fromkeys(_FAULTS, catalog.FAILED)


def acme_pattern() -> tuple[Slot, ...]:
    """150 slots, oldest first."""
    chance = random.Random("1/acme")  # noqa: S311 (a made-up fleet, not a secret)
    groups = [group for group in ACME_GROUPS for _ in range(group.count)]
    chance.shuffle(groups)
    # The two that are still building are among the newest.
    young = [group for group in groups if group.stem == "web-"][:2]
    slots = list(_place([*_less(groups, young), *young], chance))
    for slot in _ODD:
        slots.insert(chance.randrange(5, len(slots) - 15), slot)
    return (*slots[:-2], *_NEWEST, *slots[-2:])


def _less(groups: list[Group], taken: list[Group]) -> list[Group]:
    left = list(groups)
    for group in taken:
        left.remove(group)
    return left


def globex_pattern() -> tuple[Slot, ...]:
    """12 slots, oldest first."""
    chance = random.Random("1/globex")  # noqa: S311 (as above)
    groups = [group for group in GLOBEX_GROUPS for _ in range(group.count)]
    chance.shuffle(groups)
    return tuple(_place(groups, chance))


def _place(groups: list[Group], chance: random.Random) -> Iterator[Slot]:
    """A slot for each group; the servers of one group are numbered in order."""
    seen: Counter[str] = Counter()
    for group in groups:
        position = seen[group.stem]
        seen[group.stem] += 1
        managed = (("managed-by", "terraform"),) if chance.randrange(10) else ()
        key = (group.stem, position)
        yield Slot(
            stem=group.stem,
            numbers=range(position + 1, sys.maxsize, group.count),
            description=group.description if chance.randrange(5) else None,
            state=_STATES.get(key, catalog.ACTIVE),
            flavor=FLAVORS[chance.choice(group.flavors)],
            image=IMAGES[chance.choice(group.images)],
            networks=group.networks if key not in _FAULTS else (),
            security_groups=group.security_groups,
            volumes=group.volumes,
            key_names=("deploy",) if chance.randrange(3) else ("deploy", "ada-laptop"),
            metadata=(("environment", group.environment), ("team", group.team), *managed),
            tags=(*group.tags, group.environment),
            fault=_FAULTS.get(key),
        )
