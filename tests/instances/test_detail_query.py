import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from portal.instances.forms import InvalidHintsError, read_back, read_hints
from portal.instances.links import DetailQuery, ListView, can_be_hint

ID = "550e8400-e29b-41d4-a716-446655440000"

hints = st.builds(
    DetailQuery,
    name=st.none() | st.text(max_size=255).filter(can_be_hint),
    back=st.sampled_from(["", "name=web-%2A&limit=50", "tags=a,b", "name=%C3%A7+%26+d"]),
    marker=st.none() | st.uuids().map(str),
)


def read(query_string: str) -> DetailQuery:
    return read_hints(QueryDict(query_string), ID)


@given(hints)
def test_hints_come_back_from_their_query_string(one: DetailQuery) -> None:
    assert read(one.to_query_string()) == one


def test_no_hints_are_no_query_string() -> None:
    assert DetailQuery().to_query_string() == ""
    assert read("name=&back=&marker=") == DetailQuery()


def test_a_name_is_kept_as_it_is_to_the_space() -> None:
    assert read("name=+web+").name == " web "


@pytest.mark.parametrize(
    ("query_string", "parameter"),
    [
        ("name=a%00", "name"),
        ("marker=1", "marker"),
        ("back=limit%3D0", "back"),
        ("back=//elsewhere.example", "back"),
        ("back=a&back=b", "back"),
    ],
)
def test_what_cannot_be_used_is_named(query_string: str, parameter: str) -> None:
    with pytest.raises(InvalidHintsError) as error:
        read(query_string)
    assert list(error.value.problems) == [parameter]


def test_other_parameters_change_nothing() -> None:
    assert read("download=1&step=3&utm_source=a&utm_source=b") == DetailQuery()


def test_the_way_back_is_a_list_in_its_canonical_form() -> None:
    assert read("back=tags%3Db%252Cb%26limit%3D20").back == "tags=b"
    assert read_back("") == ListView()
    assert (read_back("name=a") or ListView()).to_query_string() == "name=a"
