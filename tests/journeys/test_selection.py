"""Selected instances, without scripts: as a file, as text to copy, and side by side."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.bycloud import Flavor, Instance
from portal.fleet.models import IndexedInstance
from portal.instances import comparison, lookup, selection
from portal.instances.comparison import compare_fields
from portal.instances.export_all import write_texts
from tests.journeys.conftest import read_on
from tests.journeys.pages import LIST, Response, form, ids, text, words
from tests.journeys.test_export_all import read_csv, read_file, read_lines
from tests.upstream import Upstream

SELECTED, COMPARE = f"{LIST}selected/", f"{LIST}compare/"
OTHER = "550e8400-e29b-41d4-a716-446655440000"


def select(client: Client, page: Response, chosen: list[str], button: str) -> Response:
    """What a browser does with these boxes checked."""
    body = text(page)
    for each in chosen:
        assert f'name="id" value="{each}"' in body
    action, fields = form(page, button)
    pressed = re.search(rf'<button[^>]*name="format" value="(\w+)"[^>]*>{button}<', body)
    return client.post(action, {**fields, "id": ["", *chosen], "format": pressed[1] if pressed else ""})


def list_fields(page: Response) -> list[str]:
    """The titles of the comparison's rows; those that differ end with a star."""
    table = text(page).partition('id="comparison"')[2]
    rows = re.findall(
        r'<tr( class="differs")?>\s*<th scope="row">(?:<span class="sub">[^<]*</span>)?(?:<bdi>)?([^<]+)', table
    )
    return [f"{title.strip()}{'*' if differs else ''}" for differs, title in rows]


def compare(client: Client, chosen: list[str], **more: str) -> Response:
    return client.get(COMPARE, {"id": ",".join(chosen), **more}, follow=True)


def list_subjects() -> list[str]:
    return list(Event.objects.filter(act=Action.INSTANCES_EXPORTED).values_list("subject", flat=True))


def test_selected_rows_become_a_file_with_these_and_no_others(reader: Client) -> None:
    page = reader.get(LIST)
    chosen = ids(page)[3:6]
    rows = read_csv(select(reader, page, chosen, "CSV"))
    assert {row["id"] for row in rows} == set(chosen)
    about, *found = read_lines(select(reader, page, chosen, "JSON lines"))
    assert (about["export"]["instances"], about["export"]["query"]) == (3, None)
    assert {row["id"] for row in found} == set(chosen)
    assert list_subjects()[0] == "spo1: 3 instances, jsonl, 150 of 150 known, selected"


def test_ids_names_and_ipv4_addresses_are_lines_of_text(reader: Client) -> None:
    page = reader.get(f"{LIST}?sort=name&q=ip:10.48.0.0/16", follow=True)
    chosen = ids(page)[:3]
    response = select(reader, page, chosen, "IDs")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Disposition" not in response.headers
    assert read_file(response).splitlines() == chosen
    names = read_file(select(reader, page, chosen, "Names")).splitlines()
    assert len(names) == 3
    assert names == sorted(names)
    addresses = read_file(select(reader, page, chosen, "IPv4 addresses")).splitlines()
    assert len(addresses) >= 6
    assert all(re.fullmatch(r"10\.\d+\.\d+\.\d+", address) for address in addresses)
    assert list_subjects()[-1] == "spo1: 3 instances, ids, 150 of 150 known, selected"


def test_a_line_break_in_a_name_does_not_make_two_lines() -> None:
    assert write_texts([Instance(name="web\r\nrm -rf /"), Instance(name=None)], "names") == b"web rm -rf /\n"


def test_all_that_match_are_copied_and_exported_whatever_is_on_the_page(reader: Client) -> None:
    given = {"query": "q=storefront&limit=1", "all": "1", "id": OTHER}
    total = len(ids(reader.get(f"{LIST}?q=storefront&limit=100")))
    assert len(read_file(reader.post(SELECTED, {**given, "format": "ids"})).splitlines()) == total
    assert len(read_csv(reader.post(SELECTED, {**given, "format": "csv"}))) == total


def test_what_cannot_be_copied_is_said(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(**given: str) -> tuple[int, str]:
        response = reader.post(SELECTED, {"query": "", "format": "ids", **given})
        return response.status_code, response.content.decode() if not response.streaming else read_file(response)

    assert copy() == (422, "Select at least one instance first.")
    assert copy(id="nonsense") == (422, "Select at least one instance first.")
    assert copy(id=OTHER) == (422, "None of these instances is listed any more.")
    monkeypatch.setattr(selection, "MOST_COPIED", 149)
    assert copy(all="1") == (422, "At most 149 instances can be copied. Export them instead.")
    monkeypatch.setattr(selection, "MOST_SELECTED", 1)
    assert copy(id=f"{OTHER},{OTHER[:-1]}1") == (422, "At most 1 instances can be selected.")
    for unknown in ("", "json", "xlsx"):
        assert reader.post(SELECTED, {"id": OTHER, "format": unknown}).status_code == 400
    assert list_subjects() == []


def test_a_file_of_nothing_is_a_message_on_the_list(reader: Client) -> None:
    page = reader.post(SELECTED, {"query": "q=web", "format": "csv"}, follow=True)
    assert page.redirect_chain == [(f"{LIST}?q=web", 303)]
    assert "Select at least one instance first." in words(page)


def test_rows_of_a_list_of_missing_instances_are_copied_and_exported(reader: Client) -> None:
    lost = ids(reader.get(f"{LIST}?sort=name"))[:3]
    IndexedInstance.objects.filter(instance_id__in=lost).update(missing_at=timezone.now())
    page = reader.get(f"{LIST}?q=missing%3C1d")
    assert ids(page) == lost
    assert read_file(select(reader, page, lost[:2], "IDs")).splitlines() == lost[:2]
    assert [row["id"] for row in read_csv(select(reader, page, lost[1:], "CSV"))] == lost[1:]
    # In any other list they were selected before they were missed.
    assert select(reader, reader.get(LIST), [], "IDs").status_code == 422
    assert reader.post(SELECTED, {"query": "", "id": lost, "format": "ids"}).status_code == 422


def test_files_of_selected_rows_count_among_the_exports_of_a_minute(reader: Client) -> None:
    chosen = ids(reader.get(LIST))[0]
    for _ in range(10):
        read_file(reader.post(SELECTED, {"id": chosen, "format": "csv"}))
    assert reader.post(SELECTED, {"id": chosen, "format": "csv"}).status_code == 429


def test_while_the_fleet_is_not_read_to_its_end_all_are_not_copied(operator_client: Client, upstream: Upstream) -> None:
    upstream.limit_pages(20, refuses=False)
    refused = operator_client.post(SELECTED, {"query": "", "all": "1", "format": "names"})
    assert refused.status_code == 422
    assert "not been read to its end" in text(refused)
    file = operator_client.post(SELECTED, {"query": "", "all": "1", "format": "csv"})
    assert (file.status_code, file.headers["Location"]) == (303, f"{LIST}export-all/")


def test_two_to_four_stand_side_by_side(reader: Client) -> None:
    page = reader.get(f"{LIST}?q=web&sort=name")
    chosen = ids(page)[:2]
    response = select(reader, page, chosen, "Compare")
    address = f"{COMPARE}?id={','.join(chosen)}&back=q%3Dweb%26sort%3Dname"
    assert (response.status_code, response.headers["Location"]) == (303, address)
    shown = reader.get(address)
    fields = list_fields(shown)
    assert {"IP addresses*", "CRN*", "Created*", "vCPUs", "RAM"} <= set(fields)
    assert "Age" not in fields
    assert f'href="{LIST}?q=web&sort=name"' in text(shown)
    assert all(f'href="{LIST}{each}/?name=' in text(shown) for each in chosen)
    only = reader.get(f"{COMPARE}?id={','.join(chosen)}&differences=1&back=q%3Dweb%26sort%3Dname")
    assert list_fields(only) == [field for field in fields if field.endswith("*")]
    assert f"{len(list_fields(only))} fields differ" in words(only)


def test_lists_are_equal_in_any_order_and_each_key_of_the_metadata_is_a_field() -> None:
    one = Instance(tags=("a", "b"), metadata={"team": "web", "owner": "x"}, flavor=Flavor(ram=4096))
    other = Instance(tags=("b", "a"), metadata={"team": "web"}, flavor=Flavor(ram=8192))
    fields = {field.name: field for field in compare_fields([one, other])}
    assert [title for title, field in fields.items() if field.differs] == ["RAM", "owner"]
    assert [cell.texts for cell in fields["RAM"].cells] == [("4 GiB",), ("8 GiB",)]
    assert fields["team"].is_data


@pytest.mark.parametrize("count", [0, 1, 5])
def test_fewer_or_more_are_not_compared(reader: Client, count: int) -> None:
    page = reader.get(f"{LIST}?q=web")
    answer = select(reader, page, ids(page)[:count], "Compare")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}?q=web")
    assert "Select 2 to 4 instances to compare them." in words(reader.get(f"{LIST}?q=web"))
    assert compare(reader, ids(page)[:count]).redirect_chain == [(f"{LIST}?limit=20", 303)]


def test_a_comparison_has_one_address(reader: Client) -> None:
    one, other = ids(reader.get(LIST))[:2]
    response = reader.get(f"{COMPARE}?utm_source=x&id={other.upper()}&id={one}&id={other}", follow=True)
    assert response.redirect_chain == [(f"{COMPARE}?id={other},{one}", 302)]
    assert "utm_source" in words(response)


def test_an_instance_that_is_gone_is_compared_as_it_was(reader: Client) -> None:
    chosen = ids(reader.get(f"{LIST}?sort=name"))[:2]
    IndexedInstance.objects.filter(instance_id=chosen[0]).update(missing_at=timezone.now(), gone_at=timezone.now())
    page = words(compare(reader, chosen))
    assert "Gone · last seen" in page
    assert "not found" not in page


def test_no_instance_of_another_credential_is_exported_copied_or_compared(reader: Client, viewing: Client) -> None:
    read_on(viewing)
    own, others = ids(viewing.get(f"{LIST}?sort=name")), ids(reader.get(f"{LIST}?sort=name"))
    given = {"id": [own[0], *others]}
    assert read_file(viewing.post(SELECTED, {**given, "format": "ids"})).splitlines() == [own[0]]
    assert [row["id"] for row in read_csv(viewing.post(SELECTED, {**given, "format": "csv"}))] == [own[0]]
    page = compare(viewing, [own[0], own[1], others[0]])
    assert "1 instance was not found" in words(page)
    assert f'href="{LIST}{others[0]}' not in text(page)
    nothing = words(compare(viewing, others[:2]))
    assert "2 instances were not found" in nothing
    assert "Show only differences" not in nothing


def test_without_an_index_what_is_on_the_page_can_be_copied_and_compared(reader: Client, settings: Settings) -> None:
    settings.FLEET_INDEX = False
    page = reader.get(f"{LIST}?tags=web")
    chosen = ids(page)[:2]
    assert ">JSON lines</button>" not in text(page)
    copied = select(reader, page, chosen, "IDs")
    assert (copied.status_code, text(copied).splitlines()) == (200, chosen)
    refused = select(reader, page, chosen, "IDs").client.post(SELECTED, {"id": [*chosen, OTHER], "format": "ids"})
    assert (refused.status_code, text(refused)) == (
        422,
        "Without the index, only instances on this page can be copied.",
    )
    assert reader.post(SELECTED, {"all": "1", "format": "ids"}).status_code == 422
    file = reader.post(SELECTED, {"id": chosen, "format": "csv"}, follow=True)
    assert "The index cannot answer" in words(file)
    compared = compare(reader, chosen)
    assert "CRN*" in list_fields(compared)
    assert "1 instance was not found" in words(compare(reader, [chosen[0], OTHER]))


def test_without_an_index_what_was_not_read_may_still_be_there(
    reader: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FLEET_INDEX = False
    rows = ids(reader.get(f"{LIST}?limit=100"))
    last = ids(reader.get(f"{LIST}?limit=100&marker={rows[-1]}"))[-2:]
    assert "not found" not in words(compare(reader, last))
    monkeypatch.setattr(lookup, "SCAN_CALLS", 1)
    page = words(compare(reader, last))
    assert "2 instances were not found" in page
    assert "The fleet has not been read to its end yet." in page
    assert "deleted long ago" not in page


def test_without_an_index_all_that_are_compared_have_the_time_of_one(
    reader: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FLEET_INDEX = False
    chosen = ids(reader.get(f"{LIST}?limit=100"))[:4]
    times = iter([False, False, True])
    monkeypatch.setattr(comparison, "is_late", lambda _ends_at: next(times))
    page = words(compare(reader, chosen))
    assert "2 instances were not found" in page
    assert "The fleet has not been read to its end yet." in page


def test_without_an_index_an_outage_is_no_missing_instance(
    operator_client: Client, upstream: Upstream, settings: Settings
) -> None:
    settings.FLEET_INDEX = False
    upstream.script(status=503, times=5)
    page = words(compare(operator_client, [OTHER, f"{OTHER[:-1]}1"]))
    assert "ByCloud is unavailable" in page
    assert "not found" not in page


def test_rows_without_a_page_have_no_checkbox_and_names_are_plain_in_labels(reader: Client) -> None:
    body = text(reader.get(f"{LIST}?limit=100"))
    labels = re.findall(r'name="id" value="[0-9a-f-]{36}" aria-label="Select ([^"]*)"', body)
    assert len(labels) == 100


def test_without_a_credential_nothing_is_selected(operator_client: Client, otto: Member) -> None:
    otto.credentials.all().delete()
    assert 'name="next"' in text(operator_client.post(SELECTED, {"id": OTHER, "format": "csv"}))
    assert 'name="next"' in text(operator_client.get(f"{COMPARE}?id={OTHER},{OTHER[:-1]}1"))
