"""How much of the list the index has, in words."""

import pytest
from django.utils import timezone

from portal.instances.index_status import describe_coverage
from portal.instances.indexed import Coverage


@pytest.mark.parametrize(
    ("known", "total", "words"),
    [
        (600, 1240, "600 of 1,240 instances"),
        (150, 150, "150 of 150 instances"),
        # ByCloud counts without one that the index has until the next walk misses it.
        (150, 149, "150 instances"),
        (150, None, "150 instances"),
        (1, None, "1 instance"),
    ],
)
def test_what_is_known_is_never_more_than_the_whole(known: int, total: int | None, words: str) -> None:
    coverage = Coverage(
        known=known,
        total=total,
        is_complete=True,
        is_walking=False,
        seen=0,
        left=None,
        pause="",
        due_at=timezone.now(),
        is_endless=False,
    )
    assert describe_coverage(coverage).coverage == words
