"""Query strings and the canonical form of each."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import InstanceQuery, Region
from portal.core.http import LONGEST_ADDRESS, add_way_back
from portal.fleet.status import KNOWN_STATUSES
from portal.fleet.values import KnownValues, NamedRef
from portal.instances import links
from portal.instances.columns import COLUMNS, order_names
from portal.instances.fields import DENSITIES
from portal.instances.forms import ListForm, find_name
from portal.instances.links import ListView, can_add_tag

SPO1 = Region("spo1", "https://api.spo1.example")
ID = "550e8400-e29b-41d4-a716-446655440000"
OTHER_ID = "440e8400-e29b-41d4-a716-446655440000"
THIRD_ID = "330e8400-e29b-41d4-a716-446655440000"
SEEN = KnownValues(
    flavors=(NamedRef(ID, "m1.medium"), NamedRef(OTHER_ID, "M1.Large"), NamedRef(THIRD_ID, "m1.large")),
    images=(NamedRef(ID, "Ubuntu"), NamedRef(OTHER_ID, "Twin"), NamedRef(THIRD_ID, "Twin")),
)

plain_text = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\N{REPLACEMENT CHARACTER}"))
word = plain_text.map(str.strip).filter(lambda text: text != "")
uuids = st.uuids().map(str)
queries = st.builds(
    InstanceQuery,
    name=st.none() | word.filter(lambda text: len(text) < 255),
    status=st.none() | word.filter(lambda text: len(text) < 64 and text.upper() not in KNOWN_STATUSES),
    tags=st.lists(word.filter(lambda text: "," not in text and len(text) < 50), max_size=8, unique=True).map(tuple),
    flavor_id=st.none() | uuids,
    image_id=st.none() | uuids,
    limit=st.integers(1, 100),
    marker=st.none() | uuids,
)


views = st.builds(
    ListView,
    query=queries,
    columns=st.just(()) | st.lists(st.sampled_from(list(COLUMNS))).map(order_names),
    density=st.sampled_from(["", *DENSITIES]),
)


def read(query_string: str) -> ListForm:
    form = ListForm(QueryDict(query_string), known=SEEN)
    form.full_clean()
    return form


def asked(query_string: str) -> InstanceQuery:
    """What is asked of ByCloud; fails when the query string cannot be accepted."""
    view = read(query_string).view
    assert view
    return view.query


def problem(query_string: str, parameter: str) -> str:
    form = read(query_string)
    assert list(form.errors) == [parameter]
    return str(form.errors[parameter][0])


@given(views)
def test_every_view_comes_back_from_its_query_string(view: ListView) -> None:
    assert read(view.to_query_string()).view == view


@given(views)
def test_the_canonical_form_of_a_canonical_form_is_itself(view: ListView) -> None:
    canonical = view.to_query_string()
    again = read(canonical).view
    assert again is not None
    assert again.to_query_string() == canonical


@given(st.lists(st.tuples(st.sampled_from([*ListForm.base_fields, "x"]), st.text(max_size=30)), max_size=9))
def test_whatever_is_sent_is_either_canonical_in_one_step_or_refused_by_name(pairs: list[tuple[str, str]]) -> None:
    reading = read(urlencode(pairs))
    if reading.view is None or reading.errors:
        assert reading.errors
    else:
        canonical = reading.view.to_query_string()
        assert read(canonical).view == reading.view


def test_an_empty_query_string_is_the_whole_list_in_twenties() -> None:
    assert read("").view == ListView(InstanceQuery(limit=20))
    assert ListView().to_query_string() == ""


def test_parameters_stand_in_the_documented_order() -> None:
    asked = f"marker={ID}&limit=50&image_id={ID}&flavor_id={ID}&tags=a,b&status=ACTIVE&name=web-*"
    view = read(f"density=compact&columns=state,name&{asked}").view
    assert view is not None
    assert view.to_query_string() == (
        f"name=web-%2A&status=ACTIVE&tags=a,b&flavor_id={ID}&image_id={ID}&limit=50&marker={ID}"
        "&columns=name,state&density=compact"
    )


def test_a_list_from_the_index_has_a_query_an_order_and_a_page_but_no_marker() -> None:
    view = read(f"page=3&sort=-age&marker={ID}&limit=50&name=web-*&q=TAG:web++tag:web").view
    assert view
    assert view.is_indexed
    assert view.to_query_string() == "q=tag%3Aweb&name=web-%2A&limit=50&sort=-age&page=3"
    assert links.list_url(SPO1, view, sort="name") == "/spo1/instances/?q=tag%3Aweb&name=web-%2A&limit=50&sort=name"
    assert not read("limit=50&name=web").view.is_indexed  # type: ignore[union-attr]


def test_the_first_page_is_written_only_where_nothing_else_asks_for_the_index() -> None:
    assert read("page=1").view == ListView(page=1)
    assert read("q=web&page=1").view == ListView(q="web")


@pytest.mark.parametrize(("parameter", "value"), [("sort", "colour"), ("sort", "--name"), ("page", "0"), ("page", "x")])
def test_an_order_or_a_page_that_cannot_be_is_refused(parameter: str, value: str) -> None:
    assert problem(urlencode({parameter: value}), parameter)


def test_texts_are_trimmed_and_empty_parameters_left_out() -> None:
    assert asked("name=+web+&status=&tags=&limit=&marker=") == InstanceQuery(name="web", limit=20)


def test_tags_are_trimmed_and_each_kept_once_in_the_order_given() -> None:
    assert asked("tags=web,+production+,,web") == InstanceQuery(tags=("web", "production"), limit=20)


def test_ids_are_in_lower_case() -> None:
    assert asked(f"flavor_id={ID.upper()}&marker={ID.upper()}") == InstanceQuery(flavor_id=ID, limit=20, marker=ID)


def test_a_known_status_is_in_capitals_and_an_unknown_one_as_it_was_typed() -> None:
    assert asked("status=active") == InstanceQuery(status="ACTIVE", limit=20)
    assert asked("status=Quiescing") == InstanceQuery(status="Quiescing", limit=20)


def test_a_flavor_and_an_image_can_be_given_by_a_name_seen_so_far() -> None:
    assert asked("flavor_id=m1.medium&image_id=ubuntu") == InstanceQuery(flavor_id=ID, image_id=ID, limit=20)


def test_a_name_that_is_exact_wins_over_one_that_differs_in_case() -> None:
    assert asked("flavor_id=m1.large") == InstanceQuery(flavor_id=THIRD_ID, limit=20)


def test_a_name_that_was_never_seen_asks_for_the_id() -> None:
    assert "Unknown name. Use the ID instead" in problem("flavor_id=m9.huge", "flavor_id")


@pytest.mark.parametrize("text", ["image_id=Twin", "flavor_id=M1.LARGE"])
def test_a_name_that_stands_for_several_asks_for_the_id(text: str) -> None:
    assert "More than one" in problem(text, text.partition("=")[0])


@pytest.mark.parametrize("limit", ["0", "101", "-5", "2.5", "many", "٢٠", "9999999999"])
def test_a_limit_that_is_no_number_from_1_to_100_is_refused(limit: str) -> None:
    assert "from 1 to 100" in problem(urlencode({"limit": limit}), "limit")


@pytest.mark.parametrize("marker", ["x", ID[:-1], f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", "")])
def test_a_marker_that_is_no_uuid_is_refused(marker: str) -> None:
    assert "Not a valid ID" in problem(urlencode({"marker": marker}), "marker")


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "a\x7fb", "a\u0085b"])
def test_a_control_character_is_refused(name: str) -> None:
    assert "control character" in problem(urlencode({"name": name}), "name")


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "invalid character" in problem("name=%FF", "name")


@pytest.mark.parametrize("parameter", list(ListForm.base_fields))
def test_a_text_that_is_too_long_is_refused(parameter: str) -> None:
    longest = ListForm.base_fields[parameter].longest  # type: ignore[attr-defined]
    assert f"{longest} characters" in problem(f"{parameter}={'x' * (longest + 1)}", parameter)


def test_too_many_tags_are_refused() -> None:
    assert "50" in problem(f"tags={','.join(str(number) for number in range(51))}", "tags")


def test_a_parameter_given_twice_is_refused_and_both_texts_kept() -> None:
    reading = read("name=web&name=db")
    assert "2 times" in reading.errors["name"][0]
    assert reading["name"].value() == "web,db"


def test_an_unknown_parameter_changes_nothing() -> None:
    assert read("name=web&colour=red&order=up&colour=blue").view == ListView(InstanceQuery(name="web", limit=20))


def view(**asked: Any) -> ListView:
    return ListView(InstanceQuery(**asked), columns=("name", "age"), density="compact")


CHANGES: tuple[dict[str, Any], ...] = (
    {"name": "db"},
    {"name": None},
    {"status": ""},
    {"tags": ("a", "b", "c")},
    {"tags": ()},
    {"flavor_id": OTHER_ID},
    {"image_id": None},
    {"limit": 100},
    {"limit": 20},
    {"columns": ("name",)},
    {"density": ""},
    {"q": "web"},
    {"sort": "-name"},
)


@pytest.mark.parametrize("changes", CHANGES)
def test_a_change_goes_back_to_the_first_page_and_leaves_the_rest(changes: dict[str, Any]) -> None:
    whole = view(name="web", status="ACTIVE", tags=("a", "b"), flavor_id=ID, image_id=ID, limit=50, marker=OTHER_ID)
    changed = whole.change(**changes)
    assert changed.query.marker is None
    for name in ("name", "status", "tags", "flavor_id", "image_id", "limit"):
        assert getattr(changed.query, name) == changes.get(name, getattr(whole.query, name))
    assert changed.columns == changes.get("columns", whole.columns)
    for name in ("density", "q", "sort"):
        assert getattr(changed, name) == changes.get(name, getattr(whole, name))
    assert links.list_url(SPO1, whole, **changes) == links.list_url(SPO1, changed)


def test_paging_keeps_everything_else() -> None:
    first = view(name="web", limit=50)
    assert first.change(marker=ID) == view(name="web", limit=50, marker=ID)
    assert first.change(marker=ID).change(marker=None) == first
    assert links.list_url(SPO1, first, marker=ID) == links.list_url(SPO1, view(name="web", limit=50, marker=ID))


def test_the_list_without_anything_asks_for_twenty_rows_so_that_no_default_view_opens() -> None:
    assert links.list_url(SPO1, view(name="web"), name="", columns=(), density="") == "/spo1/instances/?limit=20"


def test_columns_stand_in_the_order_of_the_table_with_the_name_first_and_each_once() -> None:
    reading = read("columns=+age,state,,age+")
    assert reading.view
    assert reading.view.columns == ("name", "state", "age")


def test_an_unknown_column_is_named() -> None:
    assert problem("columns=name,colour,Age", "columns") == "Unknown columns: colour, Age."


def test_an_unknown_density_is_refused() -> None:
    assert "comfortable" in problem("density=cosy", "density")


@pytest.mark.parametrize("tag", ["", "a,b", " a", "a\nb", "x" * 1001])
def test_a_tag_that_the_parameter_cannot_hold_is_no_filter(tag: str) -> None:
    assert not can_add_tag(ListView(), tag)


def test_a_tag_beyond_the_most_is_no_filter() -> None:
    full = view(tags=tuple(str(number) for number in range(50)))
    assert not can_add_tag(full, "one more")
    assert can_add_tag(full, "7")


def test_the_name_of_an_id_is_given_only_when_it_leads_back_to_it() -> None:
    assert find_name(SEEN.flavors, ID) == "m1.medium"
    assert find_name(SEEN.images, THIRD_ID) is None
    assert find_name((NamedRef(ID, OTHER_ID),), ID) is None
    assert find_name((), ID) is None
    assert find_name((NamedRef(ID, " m1"),), ID) is None


def test_has_filters_counts_neither_size_nor_place() -> None:
    assert not view(limit=50, marker=ID).query.has_filters
    assert view(tags=("a",)).query.has_filters


def test_a_list_whose_address_would_not_fit_is_refused_beside_its_longest_field() -> None:
    fits = urlencode({"tags": ",".join(f"株式会社{number:03}" for number in range(50)), "name": "株" * 200})
    view = read(fits).view
    assert view
    canonical = view.to_query_string()
    assert len(canonical) > 2048
    assert len(add_way_back("/sign-in/", f"/spo1/instances/?{canonical}")) <= LONGEST_ADDRESS
    other = urlencode({"tags": ",".join(f"{'株' * 13}{number}" for number in range(50))})
    assert "Too long for a URL" in problem(other, "tags")
