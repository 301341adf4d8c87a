"""Sort keys: bytes in the order that people expect."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import Fault, Instance
from portal.fleet.keys import LONGEST_OTHER, address_key, list_key, natural_key, state_rank
from portal.fleet.status import derive_state


@pytest.mark.parametrize(
    "names",
    [
        ["web-1", "web-2", "WEB-3", "web-10", "web-14", "web-100"],
        ["1", "2", "10", "a"],
        ["a1b2", "a1b10", "a2b1"],
        ["node-9", "node-010", "node-11"],
        ["App", "bar", "Foo"],
        ["", "a"],
    ],
)
def test_names_sort_naturally(names: list[str]) -> None:
    keys = [natural_key(name) or b"" for name in names]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(names)


def test_names_that_differ_in_case_or_leading_zeros_only_are_equal() -> None:
    assert natural_key("Web-01") == natural_key("web-1")


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_numbers_sort_by_their_value(one: int, other: int) -> None:
    keys = [natural_key(f"web-{number}") or b"" for number in (one, other)]
    assert (keys[0] < keys[1]) == (one < other)


@given(st.text(max_size=300))
def test_any_name_has_a_key_that_is_text_or_none(name: str) -> None:
    key = natural_key(name)
    assert (key is None) == (not name)
    assert key is None or key.decode()


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_addresses_sort_by_octet(one: object, other: object) -> None:
    keys = [address_key(str(address)) or b"" for address in (one, other)]
    assert (keys[0] < keys[1]) == (int(ip_address(str(one))) < int(ip_address(str(other))))


@pytest.mark.parametrize("address", [None, "", "web-01", "10.0.0", "10.0.0.0/8", "fa:16:3e:4f:5a:2b"])
def test_what_is_no_address_has_no_key(address: str | None) -> None:
    assert address_key(address) is None


def test_an_ipv4_address_and_itself_mapped_into_ipv6_are_one() -> None:
    assert address_key("10.0.0.1") == address_key("::ffff:10.0.0.1")
    assert len(address_key("fd00::1%eth0") or b"") == 16


def test_a_list_sorts_by_its_first_values_and_is_cut() -> None:
    assert (list_key(["a", "c"]) or b"") < (list_key(["b"]) or b"")
    assert len(list_key(["x" * 1000]) or b"") == LONGEST_OTHER
    assert list_key([]) is list_key(None) is list_key([None, ""]) is None


def test_the_most_urgent_state_comes_first() -> None:
    in_order = [
        Instance(status="ERROR", fault=Fault(message="No valid host was found")),
        Instance(status="ERROR", task_state="DELETING"),
        Instance(status="ACTIVE", power_state="SHUTDOWN"),
        Instance(status="VERIFY_RESIZE"),
        Instance(status="ACTIVE", task_state="REBOOTING"),
        Instance(status="MELTING"),
        Instance(status="ACTIVE", power_state="RUNNING"),
        Instance(status="SHUTOFF", power_state="SHUTDOWN"),
    ]
    ranks = [state_rank(one, derive_state(one)) for one in in_order]
    assert ranks == sorted(ranks)
    assert ranks[0] == ranks[1] < ranks[2]
