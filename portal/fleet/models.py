"""The tables of the index. They hold what ByCloud said, per credential; all of it can be deleted and fetched again.

Each row belongs to one fleet, directly or through its instance or term. Rows of one credential never answer for
another's: every query starts from a fleet.

Deleting is done by `portal.fleet.privacy`, table by table, so the foreign keys have nothing to do (`DO_NOTHING`).
"""

from django.db import models
from django.db.models import DO_NOTHING

LONGEST_ID = 200
LONGEST_VALUE = 255


class IndexedFleet(models.Model):
    """What one credential can see in one region.

    `scope` is the gateway's `ApiSession.cache_namespace`: the region and a keyed hash of the credential. `used_at` is
    when a member last looked, within a few minutes, and `revision` counts the pages that were written.

    `tried_at` and `succeeded_at` are the last attempt of a walk to read a page and the last page that was read,
    `completed_at` is the beginning of the last complete walk, and `baseline_at` the end of the first one: instances
    that appear before it are not recorded as changes. `pause` is why walks wait (a `FetchError.kind`; empty: they do
    not), `paused_until` until when. `watched_at` is the last single request between walks, `errors_read_at` the last
    one for the status ERROR, and `watched_instance` the row that was asked for last. `held_back` counts the instances
    that the last walk did not find and that are too many to be believed at once. `lease` is the token of the process
    that makes a step, until `leased_until`.
    """

    scope = models.CharField(max_length=160, unique=True)
    region = models.CharField(max_length=63)
    created_at = models.DateTimeField()
    used_at = models.DateTimeField()
    revision = models.PositiveBigIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    baseline_at = models.DateTimeField(null=True)
    pause = models.CharField(max_length=32, blank=True, default="")
    paused_until = models.DateTimeField(null=True)
    watched_at = models.DateTimeField(null=True)
    errors_read_at = models.DateTimeField(null=True)
    watched_instance = models.BigIntegerField(default=0)
    held_back = models.PositiveIntegerField(default=0)
    lease = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.scope[: len(self.region) + 9]


class Outcome(models.TextChoices):
    """How a walk ended. The labels are for the command line and logs. Only `COMPLETE` says anything about absence."""

    WALKING = "", "under way"
    COMPLETE = "complete", "complete"
    DRIFTED = "drifted", "the list changed too much meanwhile"
    ENDLESS = "endless", "the pages lead in a circle"
    ABANDONED = "abandoned", "could not go on"


class Pass(models.Model):
    """One walk through the whole list of a fleet, page by page.

    `number` counts the walks of the fleet. `seen` are the distinct instances of its pages, `duplicates` those that came
    again. `first_total` and `last_total` are `meta.total` of the first and the last page that had one. `limit` is the
    page size to ask for. `marker` leads to the next page (null: the first), and `trail` are the last ids before it,
    for when its instance is gone. `is_checking`: the end was reached, and the head is read again. `empty` counts the
    pages without rows in a row.
    """

    fleet = models.ForeignKey(IndexedFleet, on_delete=DO_NOTHING, db_index=False, related_name="passes")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    pages = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    first_total = models.PositiveBigIntegerField(null=True)
    last_total = models.PositiveBigIntegerField(null=True)
    marker = models.CharField(max_length=LONGEST_ID, null=True)  # noqa: DJ001 -- null is the first page
    limit = models.PositiveIntegerField()
    trail = models.JSONField(default=list)
    is_checking = models.BooleanField(default=False)
    empty = models.PositiveSmallIntegerField(default=0)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True, default=Outcome.WALKING)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fleet", "number"], name="one_pass_per_number")]

    def __str__(self) -> str:
        return f"{self.fleet_id} #{self.number}"


class IndexedInstance(models.Model):
    """One instance of a fleet, narrow: what lists are sorted, summed and counted by.

    `instance_id` is in lower case. The columns named `..._key` are bytes that sort as people expect (`records.py`), in
    every database alike; numbers and times sort as they are. Null means that the value is absent: those come last, in
    both directions. `id` is the tie-break. `records.SORT_FIELDS` says which field a column of the list is sorted by.

    `digest` is that of the untouched JSON. `first_seen` and `last_seen` are the dates of the pages. `walked` is the
    number of the last pass that has seen it. `missing_at` is when a complete walk did not find it any more, `gone_at`
    when the next one did not either.
    """

    fleet = models.ForeignKey(IndexedFleet, on_delete=DO_NOTHING, db_index=False, related_name="instances")
    instance_id = models.CharField(max_length=LONGEST_ID)
    digest = models.BinaryField(max_length=16)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    walked = models.PositiveIntegerField(default=0)
    missing_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)

    state_rank = models.PositiveSmallIntegerField()
    vcpus = models.BigIntegerField(null=True)
    ram = models.BigIntegerField(null=True)
    disk = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(null=True)
    launched_at = models.DateTimeField(null=True)
    terminated_at = models.DateTimeField(null=True)
    name_key = models.BinaryField(null=True)
    addresses_key = models.BinaryField(null=True)
    flavor_key = models.BinaryField(null=True)
    image_key = models.BinaryField(null=True)
    tags_key = models.BinaryField(null=True)
    description_key = models.BinaryField(null=True)
    power_state_key = models.BinaryField(null=True)
    task_state_key = models.BinaryField(null=True)
    vm_state_key = models.BinaryField(null=True)
    networks_key = models.BinaryField(null=True)
    mac_addresses_key = models.BinaryField(null=True)
    security_groups_key = models.BinaryField(null=True)
    keys_key = models.BinaryField(null=True)
    volumes_key = models.BinaryField(null=True)
    metadata_key = models.BinaryField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fleet", "instance_id"], name="one_instance_per_fleet_and_id")]
        indexes = [
            # What lists are usually sorted by. Walks read what was made last first, so the order of times is reversed:
            # rows that come at the end of an index leave its pages full.
            models.Index(fields=["fleet", "name_key", "id"], name="instance_by_name"),
            models.Index(fields=["fleet", "state_rank", "id"], name="instance_by_state"),
            models.Index(fields=["fleet", "addresses_key", "id"], name="instance_by_address"),
            models.Index(fields=["fleet", "flavor_key", "id"], name="instance_by_flavor"),
            models.Index(fields=["fleet", "image_key", "id"], name="instance_by_image"),
            models.Index(fields=["fleet", "tags_key", "id"], name="instance_by_tags"),
            models.Index(fields=["fleet", "-created_at", "-id"], name="instance_by_age"),
            models.Index(fields=["fleet", "-updated_at", "-id"], name="instance_by_update"),
            models.Index(fields=["fleet", "vcpus", "id"], name="instance_by_vcpus"),
            models.Index(fields=["fleet", "ram", "id"], name="instance_by_ram"),
            models.Index(fields=["fleet", "disk", "id"], name="instance_by_disk"),
            # Those that exist, in the order of the texts: a search takes half of the time.
            models.Index(fields=["fleet", "missing_at"], name="instance_missing"),
        ]

    def __str__(self) -> str:
        return self.instance_id


class Text(models.Model):
    """One lower-case text per instance: everything that ByCloud sent of it and everything that is shown of it, each
    value on a line of its own. MAC addresses are in it with and without separators.
    """

    instance = models.OneToOneField(IndexedInstance, on_delete=DO_NOTHING, primary_key=True, related_name="text")
    text = models.TextField()

    def __str__(self) -> str:
        return str(self.instance_id)


class Body(models.Model):
    """The untouched JSON of an instance, compressed. `records.read_body` returns it."""

    instance = models.OneToOneField(IndexedInstance, on_delete=DO_NOTHING, primary_key=True, related_name="body")
    body = models.BinaryField()

    def __str__(self) -> str:
        return str(self.instance_id)


class Term(models.Model):
    """A value that instances of a fleet have, such as the tag `canary`: what queries, counts and suggestions are of.

    `key` is one of `records.KEYS`, or `records.META` and the key of a metadata entry, or one of `records.REF_KEYS`.
    `value` is case-folded, and is what queries compare. `shown` is the value as ByCloud writes it; empty if that is
    `value`. Of an id, it is the name. An address is 32 hexadecimal digits in `value`, so that a network is a range. A
    term may be left without instances until the next walk ends.
    """

    fleet = models.ForeignKey(IndexedFleet, on_delete=DO_NOTHING, db_index=False, related_name="terms")
    key = models.CharField(max_length=LONGEST_VALUE)
    value = models.CharField(max_length=LONGEST_VALUE)
    shown = models.CharField(max_length=LONGEST_VALUE, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fleet", "key", "value"], name="one_term_per_fleet")]

    def __str__(self) -> str:
        return f"{self.key}:{self.shown or self.value}"


class Facet(models.Model):
    """That an instance has a term."""

    pk = models.CompositePrimaryKey("term_id", "instance_id")
    term = models.ForeignKey(Term, on_delete=DO_NOTHING, db_index=False, related_name="facets")
    instance = models.ForeignKey(IndexedInstance, on_delete=DO_NOTHING, related_name="facets")

    def __str__(self) -> str:
        return f"{self.term_id} {self.instance_id}"


class ChangeKind(models.TextChoices):
    """What has changed."""

    APPEARED = "appeared", "appeared"
    VANISHED = "vanished", "vanished"
    STATE = "state", "state"
    FLAVOR = "flavor", "flavor"
    ADDRESSES = "addresses", "addresses"
    NAME = "name", "name"
    TAGS = "tags", "tags"
    METADATA = "metadata", "metadata"


class ObservedChange(models.Model):
    """What was observed between two sightings of an instance: some time after `since` and not later than `until`.

    `before` and `after` are values as ByCloud writes them, several separated by line breaks; empty for none. The row
    stays when the instance is gone, so it repeats its id and its name at that time.
    """

    fleet = models.ForeignKey(IndexedFleet, on_delete=DO_NOTHING, db_index=False, related_name="changes")
    instance_id = models.CharField(max_length=LONGEST_ID)
    name = models.CharField(max_length=LONGEST_VALUE, blank=True)
    kind = models.CharField(max_length=16, choices=ChangeKind)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["fleet", "until", "id"], name="change_by_time"),
            models.Index(fields=["fleet", "instance_id", "until"], name="change_by_instance"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.kind}"
