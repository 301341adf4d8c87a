from urllib.parse import parse_qsl, unquote

from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import InstanceQuery

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
TAGS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=","), min_size=1)).map(tuple)
QUERIES = st.builds(
    InstanceQuery,
    name=st.none() | WORDS,
    status=st.none() | WORDS,
    tags=TAGS,
    flavor_id=st.none() | st.uuids().map(str),
    image_id=st.none() | st.uuids().map(str),
    limit=st.none() | st.integers(1, 1000),
    marker=st.none() | st.uuids().map(str),
)


def read_back(query_string: str) -> InstanceQuery:
    """The query by the documented meaning of each parameter, written apart from the code under test."""
    given = dict(parse_qsl(query_string, strict_parsing=bool(query_string), keep_blank_values=True))
    return InstanceQuery(
        name=given.pop("name", None),
        status=given.pop("status", None),
        tags=tuple(given.pop("tags").split(",")) if "tags" in given else (),
        flavor_id=given.pop("flavor_id", None),
        image_id=given.pop("image_id", None),
        limit=int(given.pop("limit")) if "limit" in given else None,
        marker=given.pop("marker", None),
    )


@given(QUERIES)
def test_a_query_string_says_exactly_the_query(query: InstanceQuery) -> None:
    assert read_back(query.to_query_string()) == query


@given(QUERIES)
def test_only_given_parameters_are_sent_each_once(query: InstanceQuery) -> None:
    names = [name for name, _ in query.to_parameters()]
    assert names == [name for name in InstanceQuery.__struct_fields__ if getattr(query, name)]


@given(QUERIES)
def test_a_query_string_is_plain_ascii_without_what_a_server_might_read_otherwise(query: InstanceQuery) -> None:
    text = query.to_query_string()
    assert text.isascii()
    assert not set(text) & set(" +#?/\"'<>\\\r\n")
    assert all("=" in part for part in text.split("&") if text)


def test_what_is_empty_is_not_sent() -> None:
    assert InstanceQuery(name="", status="", flavor_id="", marker="").to_query_string() == ""


def test_the_docs_own_examples_look_as_in_the_docs() -> None:
    query = InstanceQuery(name="web-*", status="ACTIVE", tags=("web", "production"), limit=20)
    assert query.to_query_string() == "name=web-*&status=ACTIVE&tags=web,production&limit=20"


def test_a_literal_star_and_a_space_are_told_apart_from_their_escapes() -> None:
    text = InstanceQuery(name="a b+c%2A*").to_query_string()
    assert text == "name=a%20b%2Bc%252A*"
    assert unquote(text) == "name=a b+c%2A*"
