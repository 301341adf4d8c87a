"""Display options: columns and density, from preferences or the URL, and the page size."""

import re

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.instances.columns import COLUMNS, DEFAULT_NAMES, QUANTITIES
from tests.journeys.pages import LIST, Response, ask_htmx, ids, link, links, refresh, text, words

LAYOUT = f"{LIST}layout/"


def headings(response: Response) -> list[str]:
    """The columns of the table, in order."""
    return re.findall(
        r'<th scope="col"[^>]*>(?:<label.*?</label>)?(?:<a [^>]*>)?([^<]+)(?:</a>)?</th>',
        text(response).partition('id="table"')[2],
    )


def change(
    client: Client, how: str, *columns: str, query: str = "", density: str = "comfortable", limit: int = 20
) -> str:
    """Where the form of the view settings leads."""
    sent = {"query": query, "columns": ["name", *columns], "density": density, "limit": str(limit), "how": how}
    response = client.post(LAYOUT, sent)
    assert response.status_code == 303, words(response)
    return str(response.headers["Location"])


def test_the_list_begins_with_its_usual_columns(operator_client: Client) -> None:
    assert headings(operator_client.get(LIST)) == ["Name", "State", "IP addresses", "Flavor", "Image", "Tags", "Age"]


def test_every_column_can_be_shown_and_says_which_on_each_cell_but_the_first(operator_client: Client) -> None:
    page = operator_client.get(f"{LIST}?columns={','.join(COLUMNS)}", follow=True)
    titles = [str(column.title) for column in COLUMNS.values()]
    assert headings(page) == titles
    row = text(page).partition("<tr data-instance-id")[2].partition("</tr>")[0]
    own = [column for column in COLUMNS.values() if column.kind == "own" or column.name == "age"]
    assert re.findall(r'<td class="c-([^"]+)"', row) == [column.name for column in own[1:]]
    labelled = [str(column.title) for column in COLUMNS.values() if column not in own]
    assert re.findall(r'<td[^>]*data-label="([^"]+)"', row) == labelled
    assert "None" not in words(page)
    assert 'class="table-scroll is-wide"' in text(page)


def test_quantities_stand_right_and_nothing_else_does(operator_client: Client) -> None:
    body = text(operator_client.get(f"{LIST}?columns={','.join(COLUMNS)}", follow=True))
    right = set(re.findall(r'<td class="num" data-label="([^"]+)"', body))
    assert right == {str(column.title) for column in COLUMNS.values() if column.kind in QUANTITIES}
    table = body.partition('id="table"')[2]
    assert set(re.findall(r'<th scope="col" class="[^"]* num">(?:<a [^>]*>)?([^<]+)<', table)) == right


def test_columns_that_are_kept_are_in_every_list_and_stand_in_no_address(operator_client: Client, otto: Member) -> None:
    assert change(operator_client, "keep", "ram", "state", query="tags=web", density="compact") == f"{LIST}?tags=web"
    otto.refresh_from_db()
    assert (otto.columns, otto.density) == ("name,state,ram", "compact")
    for url in (LIST, f"{LIST}?status=ACTIVE"):
        page = operator_client.get(url)
        assert headings(page) == ["Name", "State", "RAM"]
        assert 'class="table is-fixed is-compact"' in text(page)
    chosen = re.findall(r'name="columns" value="(\w+)" checked', text(page))
    assert chosen == ["state", "ram"]
    assert 'name="density" value="compact" checked' in text(page)


def test_the_usual_columns_are_kept_as_none(operator_client: Client, otto: Member) -> None:
    change(operator_client, "keep", *DEFAULT_NAMES)
    otto.refresh_from_db()
    assert otto.columns == ""


def test_columns_that_are_shown_here_stand_in_the_address_and_are_not_kept(
    operator_client: Client, otto: Member
) -> None:
    url = change(operator_client, "here", "ram", query="tags=web", density="compact")
    assert url == f"{LIST}?tags=web&columns=name,ram&density=compact"
    page = operator_client.get(url)
    assert headings(page) == ["Name", "RAM"]
    otto.refresh_from_db()
    assert (otto.columns, otto.density) == ("", "comfortable")
    # Links within the list keep the look, and so does the way back to it.
    assert link(page, "Clear filters") == f"{LIST}?columns=name,ram&density=compact"
    assert "columns=name,ram&density=compact" in link(page, "50")
    instance = next(href for href in links(page) if "back=" in href)
    assert any(
        href.startswith(f"{LIST}?tags=web&columns=name,ram&density=compact")
        for href in links(operator_client.get(instance))
    )


def test_the_address_wins_over_what_is_kept(operator_client: Client) -> None:
    change(operator_client, "keep", "ram", density="compact")
    page = operator_client.get(f"{LIST}?columns=name,disk&density=comfortable")
    assert headings(page) == ["Name", "Disk"]
    assert 'class="table is-fixed"' in text(page)


def test_a_reset_brings_the_usual_look_back(operator_client: Client, otto: Member) -> None:
    change(operator_client, "keep", "ram", density="compact")
    assert change(operator_client, "usual", "disk", query="columns=name,disk") == f"{LIST}?limit=20"
    otto.refresh_from_db()
    assert (otto.columns, otto.density) == ("", "comfortable")


def test_another_size_begins_at_the_first_page_and_the_same_one_stays(operator_client: Client) -> None:
    marker = link(operator_client.get(LIST), "Next").partition("?")[2]
    assert (
        change(operator_client, "here", "ram", query=marker) == f"{LIST}?{marker}&columns=name,ram&density=comfortable"
    )
    assert change(operator_client, "keep", "ram", query=marker, limit=50) == f"{LIST}?limit=50"


def test_a_column_that_is_gone_leaves_a_preference_in_silence(operator_client: Client, otto: Member) -> None:
    Member.objects.filter(pk=otto.pk).update(columns="name,colour,ram")
    assert headings(operator_client.get(LIST)) == ["Name", "RAM"]
    Member.objects.filter(pk=otto.pk).update(columns="colour")
    assert len(headings(operator_client.get(LIST))) == len(DEFAULT_NAMES)
    Member.objects.filter(pk=otto.pk).update(columns="name")
    assert headings(operator_client.get(LIST)) == ["Name"]


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"columns": "colour"}, "Unknown columns: colour."),
        ({"density": "cosy"}, "Use comfortable or compact."),
        ({"limit": "1000"}, "from 1 to 100"),
        ({"query": "limit=x&marker=a"}, "Not a valid ID"),
    ],
)
def test_settings_that_cannot_be_are_named_and_not_kept(
    operator_client: Client, otto: Member, sent: dict[str, str], named: str
) -> None:
    response = operator_client.post(LAYOUT, {"columns": "ram", "how": "keep"} | sent)
    assert response.status_code == 400
    assert named in words(response)
    otto.refresh_from_db()
    assert otto.columns == ""


@pytest.mark.parametrize(
    ("query", "named"),
    [("columns=name,colour,size", "Unknown columns: colour, size."), ("density=cosy", "Use comfortable or compact")],
)
def test_an_address_with_an_unknown_look_is_told_so_by_name(operator_client: Client, query: str, named: str) -> None:
    response = operator_client.get(f"{LIST}?{query}")
    assert response.status_code == 400
    assert named in words(response)
    name, _, value = query.partition("=")
    assert f'name="{name}" value="{value}"' in text(response)
    assert ids(response) == ids(operator_client.get(LIST))


def test_an_open_page_whose_columns_have_changed_elsewhere_shows_them(operator_client: Client, otto: Member) -> None:
    page = operator_client.get(LIST)
    assert refresh(operator_client, page).status_code == 204
    for change_ in ({"columns": "name,ram"}, {"density": "compact"}):
        Member.objects.filter(pk=otto.pk).update(**change_)
        assert refresh(operator_client, page).status_code == 200


def test_the_address_can_be_shared_as_it_is_or_with_its_columns(operator_client: Client) -> None:
    change(operator_client, "keep", "ram")
    page = text(operator_client.get(f"{LIST}?tags=web"))
    assert 'id="share-url" type="text" value="http://testserver/spo1/instances/?tags=web"' in page
    pinned = "http://testserver/spo1/instances/?tags=web&columns=name,ram&density=comfortable"
    assert f'id="share-pinned-url" type="text" value="{pinned}"' in page
    assert f'data-copy="{pinned}" aria-label="Copy the address with these columns"' in page


def test_the_address_to_share_is_the_public_one_whatever_host_was_asked(operator_client: Client) -> None:
    page = text(operator_client.get(f"{LIST}?tags=web", HTTP_HOST="localhost:8443"))
    assert 'id="share-url" type="text" value="http://testserver/spo1/instances/?tags=web"' in page


def test_a_page_that_htmx_turned_is_the_one_that_is_shared(operator_client: Client) -> None:
    address = link(operator_client.get(LIST), "Next")
    turned = text(ask_htmx(operator_client, address, "results"))
    assert 'id="addresses" class="stack" hx-swap-oob="true"' in turned
    assert f'value="http://testserver{address}"' in turned


def test_a_refresh_by_htmx_loads_the_list_that_is_in_the_address_by_now(operator_client: Client) -> None:
    current = {"HX-Request": "true", "HX-Target": "results", "HX-Current-URL": f"http://testserver{LIST}?tags=web"}
    answer = operator_client.post(f"{LIST}refresh/", {"query": "status=ERROR"}, headers=current)
    assert answer.headers["Location"] == f"{LIST}?tags=web"
    elsewhere = current | {"HX-Current-URL": "https://elsewhere.example/?tags=web"}
    answer = operator_client.post(f"{LIST}refresh/", {"query": "status=ERROR"}, headers=elsewhere)
    assert answer.headers["Location"] == f"{LIST}?status=ERROR"
