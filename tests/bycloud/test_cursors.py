"""Where a page stands in ByCloud's list, where its docs leave open what `meta` and `links` hold."""

from uuid import UUID

import pytest

from portal.bycloud.cursors import (
    LONGEST_LINK,
    PagePosition,
    find_cut,
    find_last_id,
    find_next_marker,
    find_previous,
    find_total,
    says_more,
)
from portal.bycloud.queries import InstanceQuery
from portal.bycloud.resources import Instance, InstancePage, PageLinks, PageMeta

IDS = tuple(str(UUID(int=number)) for number in range(1, 6))
ALL, AFTER_TWO, WEB = InstanceQuery(), InstanceQuery(marker=IDS[1]), InstanceQuery(name="web-*")
OTHER = str(UUID(int=99))


def make_page(count: int, meta: PageMeta | None = None, links: PageLinks | None = None) -> InstancePage:
    return InstancePage(tuple(Instance(id=id_) for id_ in IDS[:count]), meta, links)


def link_to(marker: str) -> PageLinks:
    return PageLinks(next=f"https://api.example.com/v1/instances?marker={marker}")


@pytest.mark.parametrize(
    ("page", "query", "position", "total"),
    [
        (make_page(2, PageMeta(total=9, has_more=True)), ALL, 1, 9),
        # It is the total of the page, or has changed since.
        (make_page(2, PageMeta(total=3, has_more=True)), AFTER_TWO, 3, None),
        (make_page(2, PageMeta(total=-1, has_more=True)), ALL, 1, None),
        # What has been counted to its end is known, whatever is said.
        (make_page(2, PageMeta(has_more=False)), ALL, 1, 2),
        (make_page(2), AFTER_TWO, 3, 4),
        (make_page(2), AFTER_TWO, None, None),
        # The total may be one without filters.
        (make_page(2, PageMeta(total=9, has_more=False)), WEB, 1, 2),
    ],
)
def test_a_total_is_told_if_the_rest_agrees(
    page: InstancePage, query: InstanceQuery, position: int | None, total: int | None
) -> None:
    marker = IDS[1] if page.meta and page.meta.has_more else None
    assert find_total(page, query, marker, position) == total


@pytest.mark.parametrize(
    ("page", "query", "marker"),
    [
        (make_page(2, links=link_to(OTHER)), ALL, OTHER),
        (make_page(2, PageMeta(has_more=False), link_to(OTHER)), ALL, None),
        (make_page(2, PageMeta(has_more=True, marker=OTHER)), ALL, OTHER),
        (make_page(2, PageMeta(has_more=True)), ALL, IDS[1]),
        (make_page(2, PageMeta(has_more=True, marker="no UUID"), link_to("neither")), ALL, IDS[1]),
        # It points at itself.
        (make_page(2, PageMeta(has_more=True, marker=IDS[1])), AFTER_TWO, None),
        # Nothing says that more follow, but the page is full.
        (make_page(2), ALL, IDS[1]),
        (make_page(1), ALL, None),
        (make_page(2, PageMeta(total=2)), ALL, None),
        (make_page(2, PageMeta(total=3)), ALL, IDS[1]),
        (make_page(2, links=PageLinks(self="https://api.example.com/v1/instances")), ALL, None),
    ],
)
def test_the_next_page_is_the_one_that_meta_links_or_rows_name(
    page: InstancePage, query: InstanceQuery, marker: str | None
) -> None:
    assert find_next_marker(page, query, limit=2, first_position=1) == marker


def test_more_is_believed_also_without_a_next_page() -> None:
    assert says_more(make_page(1, PageMeta(has_more=True)), ALL)
    assert says_more(make_page(1, PageMeta(total=3)), ALL)
    assert not says_more(make_page(1, PageMeta(total=3)), AFTER_TWO)
    assert not says_more(make_page(1), ALL)


def test_the_last_row_with_a_valid_id_is_where_the_list_goes_on() -> None:
    assert find_last_id((Instance(id=IDS[0]), Instance(id="no UUID"), Instance())) == IDS[0]
    assert find_last_id(()) is None


@pytest.mark.parametrize(
    ("link", "found"),
    [
        (f"https://api.example.com/v1/instances?marker={OTHER}", (True, OTHER)),
        ("https://api.example.com/v1/instances", (True, None)),
        ("https://[broken", (True, None)),
        ("https://api.example.com/?marker=" + "a" * LONGEST_LINK, (True, None)),
        (None, (False, None)),
    ],
)
def test_a_link_back_is_read_and_never_followed(link: str | None, found: tuple[bool, str | None]) -> None:
    assert find_previous(make_page(2, links=PageLinks(previous=link)), AFTER_TWO, None) == found


def test_the_way_back_that_is_stored_comes_before_any_link() -> None:
    page = make_page(2, links=PageLinks(previous=f"https://api.example.com/?marker={OTHER}"))
    assert find_previous(page, AFTER_TWO, PagePosition(None, 3)) == (True, None)
    assert find_previous(page, ALL, PagePosition(OTHER, 1)) == (False, None)
    assert find_previous(make_page(2), AFTER_TWO, None) == (False, None)


def test_a_page_is_cut_if_it_is_full_and_may_continue() -> None:
    assert find_cut(make_page(2, PageMeta(limit=2)), limit=5) == 2
    for meta in (None, PageMeta(limit=2, has_more=False), PageMeta(limit=3), PageMeta(limit=5)):
        assert find_cut(make_page(2, meta), limit=5) is None
