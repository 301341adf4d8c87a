"""The filters of a list, without scripts: several values, exclusion, and what is wrong beside its field."""

import html
import re
from typing import Any

from django.test import Client
from pytest_django import Settings

from portal.saved_views.models import SavedView
from tests.journeys.pages import LIST, Response, ask_htmx, has_rows, ids, link, removal, text, words
from tests.upstream import Upstream

FORM = f"{LIST}filter/"
EVERY_KEY = (
    *("name", "status", "tag", "flavor", "image", "ip", "network", "group", "key", "power", "task"),
    *("vcpus", "ram", "disk", "created", "updated", "launched", "is", "missing", "id", "meta.team"),
)


def read_fields(response: Response) -> dict[str, list[str]]:
    """What the form of a filter sends as it stands."""
    (form,) = re.findall(r'<form class="stack filter-form".*?</form>', response.content.decode(), re.DOTALL)
    fields: dict[str, list[str]] = {}
    for attributes in re.findall(r"<input\b([^>]*)>", form):
        found = dict(re.findall(r'([a-z]+)="([^"]*)"', attributes))
        if found["type"] not in {"radio", "checkbox"} or re.search(r"\bchecked\b", attributes):
            fields.setdefault(found["name"], []).append(html.unescape(found["value"]))
    return fields


def change(client: Client, shown: Response, **changes: Any) -> Response:
    """Change something in the form of a filter, and apply it."""
    return client.get(FORM, read_fields(shown) | changes, follow=True)


def address(response: Response) -> str:
    return str(response.redirect_chain[-1][0])


def edit(client: Client, query: str, part: int) -> Response:
    """The form behind a filter of the list."""
    pages = re.findall(r'href="([^"]*/filter/[^"]*)"[^>]*>Change</a>', text(client.get(f"{LIST}?{query}", follow=True)))
    return client.get(pages[part])


def test_a_filter_is_added_given_more_values_excluded_and_removed(reader: Client) -> None:
    menu = words(reader.get(LIST))
    for label in ("Add filter", "Name", "Status", "Tag", "Flavor", "IP address", "Security group", "Needs attention"):
        assert label in menu
    form = reader.get(FORM, {"query": "", "key": "status"})
    one = change(reader, form, value="ERROR")
    # ByCloud takes one status: the list stays live.
    assert address(one) == f"{LIST}?status=ERROR"
    assert set(ids(one)) == set(ids(reader.get(LIST, {"q": "status:error"})))
    form = edit(reader, "status=ERROR", 0)
    assert read_fields(form)["value"] == ["ERROR"]
    two = change(reader, form, value=["ERROR", "SHUTOFF"])
    assert address(two) == f"{LIST}?q=status%3AERROR,SHUTOFF"
    assert set(ids(two)) > set(ids(one))
    assert removal(two, "Status: Error, Stopped") == f"{LIST}?limit=20"
    excluded = change(reader, edit(reader, "q=status:ERROR,SHUTOFF", 0), **{"is": "not"})
    assert sorted(address(excluded).partition("%3A")[2].split(",")) == ["ERROR", "SHUTOFF"]
    assert not set(ids(excluded)) & set(ids(two))
    assert removal(excluded, "Status is not: Stopped, Error") == f"{LIST}?limit=20"
    # Back to one value, ByCloud applies it again.
    assert address(change(reader, edit(reader, "q=status:ERROR,SHUTOFF", 0), value="SHUTOFF")) == (
        f"{LIST}?status=SHUTOFF"
    )


SHOWN = [
    ("name=web-%2A", "Name: web-*"),
    ("q=name:web-*,db-*", "Name: web-*, db-*"),
    ("q=-name:web-*", "Name is not: web-*"),
    ("q=flavor:m1.large,c1.large", "Flavor: m1.large, c1.large"),
    ('q=-image:"Debian 12"', "Image is not: Debian 12"),
    ("q=ip:10.16.0.0/24,10.48.*", "IP address: 10.16.0.0/24, 10.48.*"),
    ("q=ram>=8", "RAM: >=8"),
    ("q=-vcpus:2,4..8", "vCPU is not: 2, 4..8"),
    ("q=created<30d", "Created: <30d"),
    ("q=meta.team:storefront,data", "meta.team: storefront, data"),
    ("q=is:stuck,warning", "Needs attention: In transition for over an hour, Rescue, resize or power mismatch"),
    ("q=missing<1d", "No longer listed: <1d"),
    ('q="two words"', 'Search: "two words"'),
    ("q=-canary", "Search without: canary"),
    ("q=tag:a,b,c,d,e", "Tag: a, b, c, +2"),
    ('q=name:"a,b",c', "Name: a,b, c"),
    ("tags=web", "Tag: web"),
]


def test_every_filter_is_shown_in_words_and_its_form_gives_the_same_list(reader: Client) -> None:
    for query, applied in SHOWN:
        shown = reader.get(f"{LIST}?{query}", follow=True)
        assert removal(shown, applied) == f"{LIST}?limit=20"
        unchanged = change(reader, edit(reader, query, 0))
        assert ids(shown) == ids(unchanged)
        # The most frequent value comes first.
        words_of = [set(removal_words(page)) for page in (shown, unchanged)]
        assert words_of[0] == words_of[1], query


def removal_words(response: Response) -> list[str]:
    (label,) = re.findall(r'aria-label="Remove the filter ([^"]*)"', response.content.decode())
    return re.split(r"[:,] ", html.unescape(label))


def test_every_key_has_a_form_that_takes_several_and_excludes(reader: Client) -> None:
    for key in EVERY_KEY:
        form = reader.get(FORM, {"query": "", "key": key})
        values = re.findall(r'name="value" value="([^"]+)"', text(form))[:2]
        typed = {"ip": "10.16.0.0/16, 10.48.*", "name": "a, b", "id": "a, b"}.get(key, "<1, >5")
        if key in {"created", "updated", "launched", "missing"}:
            typed = "<1d, >2d"
        found = change(reader, form, **({"value": values} if values else {"typed": typed}), **{"is": "not"})
        assert address(found).startswith(f"{LIST}?q=-{key}%3A"), key
        assert len(values) == 2 or "," in address(found), key
        assert "is not applied" not in words(found), key


WRONG = [
    ("ram", "lots", "Expected a size, such as 512m or >=8."),
    ("created", "30d", "Use < or > before an age"),
    ("ip", "web-14", "Expected an address or a network"),
    ("name", "x" * 700 + ", " + "y" * 300, "Longer than 1000 characters."),
    ("name", ", ".join(map(str, range(60))), "More than 50 words and values."),
    ("name", "a\x07b", "Contains a control character"),
]


def test_what_cannot_be_is_said_beside_what_was_typed(reader: Client) -> None:
    for key, typed, problem in WRONG:
        form = reader.get(FORM, {"query": "tags=web", "key": key})
        wrong = change(reader, form, typed=typed, **{"is": "not"})
        assert wrong.status_code == 400
        assert problem in text(wrong)
        assert 'aria-invalid="true"' in text(wrong)
        fields = read_fields(wrong)
        assert (fields["query"], fields["is"], fields["typed"]) == (["tags=web"], ["not"], [typed])
        assert f'<li><a href="{LIST}?tags=web">Instances</a></li>' in text(wrong)


def test_htmx_gets_the_form_alone_and_the_problem_in_its_place(reader: Client) -> None:
    form = ask_htmx(reader, f"{FORM}?query=tags%3Dweb&key=ram", "add-filter-form")
    assert text(form).lstrip().startswith('<form id="add-filter-form"')
    url = f"{FORM}?query=tags%3Dweb&key=ram&is=&typed=lots"
    wrong = ask_htmx(reader, url, "instances", **{"HX-Trigger": "add-filter-form"})
    assert wrong.status_code == 400
    assert text(wrong).lstrip().startswith('<form id="add-filter-form"')
    told = {name: wrong.headers[name] for name in ("HX-Retarget", "HX-Push-Url")}
    assert told == {"HX-Retarget": "#add-filter-form", "HX-Push-Url": "false"}
    right = ask_htmx(reader, url.replace("lots", "8"), "instances", **{"HX-Trigger": "add-filter-form"})
    assert (right.status_code, right.headers["Location"]) == (302, f"{LIST}?q=ram%3A8&tags=web")


def test_a_key_that_there_is_not_leads_to_those_to_choose_from(reader: Client) -> None:
    for key in ("", "colour", "meta.", "meta." + "x" * 300):
        page = reader.get(FORM, {"query": "q=canary", "key": key, "is": "", "typed": "x"})
        assert page.status_code == 200
        assert 'value="meta.team"' in text(page)
    assert reader.get(FORM, {"query": "limit=0"}).status_code == 400
    assert reader.get(FORM, {"query": "q=canary", "part": "7"}).status_code == 200


def test_the_filters_that_bycloud_has_stay_live(operator_client: Client, upstream: Upstream) -> None:
    operator_client.get(LIST)
    query = ""
    for key, value in (("name", "web-*"), ("status", "ACTIVE"), ("tag", "web"), ("flavor", "m1.large")):
        sent = {"typed": value} if key == "name" else {"value": value}
        found = operator_client.get(FORM, {"query": query, "key": key, "is": "", **sent}, follow=True)
        query = address(found).partition("?")[2]
    assert re.fullmatch(r"name=web-%2A&status=ACTIVE&tags=web&flavor_id=[0-9a-f-]{36}", query)
    assert ids(found)
    assert "Updated" in words(found)
    asked = upstream.requests()[-1]["query"]
    assert "name=web-*&status=ACTIVE&tags=web&flavor_id=" in asked


def test_without_the_index_one_value_of_what_bycloud_can_filter_by_is_offered(
    operator_client: Client, settings: Settings
) -> None:
    settings.FLEET_INDEX = False
    page = operator_client.get(LIST)
    assert "Security group" not in words(page).partition("Add filter")[2].partition("Updated")[0]
    form = operator_client.get(FORM, {"query": "", "key": "status"})
    assert "is not" not in words(form)
    assert address(change(operator_client, form, value="ERROR")) == f"{LIST}?status=ERROR"
    wrong = change(operator_client, form, typed="ERROR, BUILD")
    assert wrong.status_code == 400
    assert "Without the index" in words(wrong)


def test_no_value_of_one_credential_is_offered_to_another(reader: Client, viewing: Client) -> None:
    viewing.get(f"{LIST}?page=1")
    for key in ("tag", "flavor", "image", "network", "meta.team"):
        counts = [
            list(map(int, re.findall(r'num">(\d+)<', text(client.get(FORM, {"key": key})))))
            for client in (reader, viewing)
        ]
        # Of twelve instances.
        assert max(counts[1]) <= 12 < max(counts[0])


def test_a_saved_view_holds_several_values_and_what_is_excluded(reader: Client) -> None:
    query = "q=status%3AERROR,SHUTOFF+-tag%3Acanary,web&name=%2Ab-%2A&sort=-age"
    reader.post(f"{LIST}save-view/", {"query": query, "name": "To look at"})
    view = SavedView.objects.get(name="To look at")
    assert view.query.startswith("q=status%3AERROR,SHUTOFF+-tag%3Acanary,web&name=")
    shown = reader.get(link(reader.get(LIST), "To look at"))
    assert removal(shown, "Status: Error, Stopped")
    assert removal(shown, "Tag is not: canary, web")
    assert has_rows(shown) or "No matches" in words(shown)


def test_a_status_may_be_typed_in_the_words_that_are_shown_for_it(reader: Client) -> None:
    form = reader.get(FORM, {"query": "", "key": "status"})
    stopped = change(reader, form, typed="Stopped")
    assert set(ids(stopped)) == set(ids(reader.get(LIST, {"q": "status:stopped"}))) != set()
    # One that ByCloud has is its parameter, also in lower case.
    assert address(change(reader, form, typed="shutoff")) == f"{LIST}?status=SHUTOFF"
    assert address(change(reader, form, typed="NEW_STATUS")) == f"{LIST}?status=NEW%5FSTATUS"
