import traceback

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import ApiKey, BearerToken, Credential

UNFIT = ["", "two words", "line\nend", "line\r\nX-Evil: 1", "tab\t", " before", "caf\xe9", "\u2026", "null\x00", "\x7f"]


@pytest.mark.parametrize("text", UNFIT)
def test_a_token_that_no_header_can_carry_is_refused_in_a_sentence_without_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^The token .*\.$") as caught:
        BearerToken(text)
    assert not text or text not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize("text", [*UNFIT, "AKIA1:secret"])
def test_an_access_key_id_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^The access key id .*\.$"):
        ApiKey(text, "secret")


@pytest.mark.parametrize("text", UNFIT)
def test_a_secret_access_key_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^The secret access key .*\.$"):
        ApiKey("AKIA1", text)


def test_a_secret_access_key_may_have_colons() -> None:
    assert ApiKey("AKIA1", "a:b").headers() == {"X-Api-Key": "AKIA1:a:b"}


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_every_plain_token_is_taken_and_sent_as_it_is(text: str) -> None:
    token = BearerToken(text)
    assert token.headers() == {"Authorization": f"Bearer {text}"}
    assert token.secret == text


@pytest.mark.parametrize("credential", [BearerToken("hush-hush"), ApiKey("AKIA1", "hush-hush")])
def test_a_credential_does_not_show_itself(credential: BearerToken | ApiKey) -> None:
    assert credential.secret == "hush-hush"
    shown = f"{credential} {credential!r} {credential!s} {[credential]} {list(credential.__rich_repr__())}"
    assert "hush" not in shown
    assert "AKIA1" not in shown


@pytest.mark.parametrize("credential", [BearerToken("hush-hush"), ApiKey("AKIA1", "hush:hush")])
def test_a_credential_comes_back_from_json_as_its_own_kind(credential: BearerToken | ApiKey) -> None:
    assert msgspec.json.decode(msgspec.json.encode(credential), type=Credential) == credential
