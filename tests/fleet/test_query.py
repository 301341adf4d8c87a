"""The language of queries: each text has one meaning, and each meaning one canonical text."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.fleet.query import (
    KEYS,
    LONGEST_TEXT,
    METADATA,
    MOST_VALUES,
    Condition,
    QueryError,
    Value,
    list_unknown_keys,
    parse,
    read_value,
    read_values,
    write,
    write_values,
)

# Texts of the signs that mean something, so that examples are more than words.
signs = st.sampled_from(['"', "*", "-", ",", ":", "<", ">", "=", " ", ".", "..", "\t", "a", "B", "8", "ç", "\u00a0"])
pieces = signs | st.sampled_from([*KEYS, "meta.team", "Status:", "fa:16:3e", "10.0.0.0/8"]) | st.text(max_size=4)
texts = st.lists(pieces, max_size=25).map("".join)

contents = st.text(max_size=12) | texts.map(lambda text: text[:12])


def make_value(text: str, *, any_before: bool, any_after: bool) -> Value:
    return Value(text, any_before, any_after) if text else Value("", any_after=any_before or any_after)


values = st.builds(make_value, contents, any_before=st.booleans(), any_after=st.booleans())
names = st.text(min_size=1, max_size=8)
words = st.builds(
    lambda value, is_excluded: Condition("", (value,), is_excluded),
    values.filter(lambda value: value.text),
    st.booleans(),
)
conditions = st.builds(
    Condition,
    key=st.sampled_from(KEYS) | names.map(METADATA.__add__),
    values=st.lists(values, max_size=4, unique=True).map(tuple),
    is_excluded=st.booleans(),
)
queries = st.lists(words | conditions, max_size=6, unique=True).map(tuple)


@given(queries)
def test_conditions_come_back_from_their_text(conditions: tuple[Condition, ...]) -> None:
    assert parse(write(conditions)) == conditions


@given(st.lists(values.filter(lambda value: value.text or value.any_after), max_size=5, unique=True).map(tuple))
def test_values_come_back_from_the_text_of_a_field_of_their_own(values: tuple[Value, ...]) -> None:
    assert read_values(write_values(values)) == values
    for value in values:
        assert read_value(write_values([value])) == value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (" web server , db*,, web server ", (Value("web server"), Value("db", any_after=True))),
        ('"a,b"*, *"*"', (Value("a,b", any_after=True), Value("*", any_before=True))),
        ('"never closed, x', (Value("never closed"), Value("x"))),
        (">=8", (Value(">=8"),)),
    ],
)
def test_a_field_of_values_means(text: str, values: tuple[Value, ...]) -> None:
    assert read_values(text) == values


@given(texts)
def test_the_canonical_text_of_any_text_means_the_same_and_stays(text: str) -> None:
    conditions = parse(text)
    canonical = write(conditions)
    assert parse(canonical) == conditions
    assert write(parse(canonical)) == canonical


@given(st.text() | texts)
def test_any_text_has_a_meaning_or_is_refused(text: str) -> None:
    with suppress(QueryError):
        list_unknown_keys(parse(text))


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("", ()),
        ("storefront", (Condition("", (Value("storefront"),)),)),
        ("WEB-14", (Condition("", (Value("WEB-14"),)),)),
        ("web-*", (Condition("", (Value("web-", any_after=True),)),)),
        ("*14", (Condition("", (Value("14", any_before=True),)),)),
        ('"two words" three', (Condition("", (Value("two words"),)), Condition("", (Value("three"),)))),
        ("Status:ERROR,BUILD", (Condition("status", (Value("ERROR"), Value("BUILD"))),)),
        ("-tag:canary", (Condition("tag", (Value("canary"),), is_excluded=True),)),
        ("-canary", (Condition("", (Value("canary"),), is_excluded=True),)),
        ("meta.Team:payments", (Condition("meta.Team", (Value("payments"),)),)),
        ('meta."cost centre":7', (Condition("meta.cost centre", (Value("7"),)),)),
        ("ram>=8", (Condition("ram", (Value(">=8"),)),)),
        ("ram:4..8", (Condition("ram", (Value("4..8"),)),)),
        ("created:<30d", (Condition("created", (Value("<30d"),)),)),
        ("ip:10.16.0.0/16", (Condition("ip", (Value("10.16.0.0/16"),)),)),
        ("tag:", (Condition("tag", ()),)),
        ("tag:*", (Condition("tag", (Value("", any_after=True),)),)),
        ('tag:""', (Condition("tag", (Value(""),)),)),
        ("image:Ubuntu*,*LTS", (Condition("image", (Value("Ubuntu", any_after=True), Value("LTS", any_before=True))),)),
        ('"status:ERROR"', (Condition("", (Value("status:ERROR"),)),)),
        # A key counts only if it is known, and comparisons are for quantities.
        ("fa:16:3e:4f:5a:2b", (Condition("", (Value("fa:16:3e:4f:5a:2b"),)),)),
        ("2001:db8::14", (Condition("", (Value("2001:db8::14"),)),)),
        ("name>5", (Condition("", (Value("name>5"),)),)),
        ("*", ()),
        ('""', ()),
        ("-", (Condition("", (Value("-"),)),)),
        ('a a "a"', (Condition("", (Value("a"),)),)),
        ('name:"never closed', (Condition("name", (Value("never closed"),)),)),
        ('"say ""hello"""', (Condition("", (Value('say "hello"'),)),)),
    ],
)
def test_a_text_means(text: str, conditions: tuple[Condition, ...]) -> None:
    assert parse(text) == conditions


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  STATUS:error   tag:a,,b ", "status:error tag:a,b"),
        ('"web"', "web"),
        ("ram:>=8", "ram>=8"),
        ("ram:>=8,<2", "ram:>=8,<2"),
        ('"-web"', '"-web"'),
        ('name:"a b",c', 'name:"a b",c'),
        ("**", ""),
        ("created:<30d", "created<30d"),
        ('"tag:x"', '"tag:x"'),
        ('meta."team":x', "meta.team:x"),
    ],
)
def test_what_stands_in_the_box_is_canonical(text: str, canonical: str) -> None:
    assert write(parse(text)) == canonical


def test_a_query_is_bounded() -> None:
    assert len(parse(" ".join(map(str, range(MOST_VALUES))))) == MOST_VALUES
    with pytest.raises(QueryError, match=str(MOST_VALUES)):
        parse(" ".join(map(str, range(MOST_VALUES + 1))))
    with pytest.raises(QueryError, match=str(MOST_VALUES)):
        parse("tag:" + ",".join(map(str, range(MOST_VALUES + 1))))
    parse("a" * LONGEST_TEXT)
    with pytest.raises(QueryError, match=str(LONGEST_TEXT)):
        parse("a" * (LONGEST_TEXT + 1))


def test_what_looks_like_a_key_is_named() -> None:
    conditions = parse("colour:red stauts:ERROR Colour:blue fa:16:3e 2001:db8::1 ::ffff:10.0.0.1 crn:spo1 name>5 web")
    assert list_unknown_keys(conditions) == ("colour", "stauts")
