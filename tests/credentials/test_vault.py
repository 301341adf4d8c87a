"""The vault: a value can be decrypted only for its owner and region, with any of the keys, and is never revealed."""

import json
import traceback

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import ApiKey, BearerToken, Credential, Region
from portal.core.crypto import CryptoError, decrypt_text, encrypt_text, reencrypt_text
from portal.credentials import vault
from portal.credentials.status import read_status
from tests.credentials.rows import find_credential, keep

TOKEN = BearerToken("a-token-that-nobody-may-see")
API_KEY = ApiKey("AKIA550E8400E29B41D4", "a-secret-that-nobody-may-see")
SPO1 = Region("spo1", "http://127.0.0.1:1")


@pytest.mark.parametrize("credential", [TOKEN, API_KEY])
def test_what_is_encrypted_opens_as_it_was(credential: Credential) -> None:
    encrypted = vault.encrypt(credential, member_id=7, region="spo1")
    assert vault.decrypt(encrypted, member_id=7, region="spo1") == credential


def test_the_secret_does_not_stand_in_what_is_encrypted() -> None:
    assert TOKEN.token.encode() not in vault.encrypt(TOKEN, member_id=7, region="spo1")


@pytest.mark.parametrize(("member_id", "region"), [(8, "spo1"), (7, "sao2")])
def test_it_opens_for_no_other_member_and_no_other_region(member_id: int, region: str) -> None:
    encrypted = vault.encrypt(TOKEN, member_id=7, region="spo1")
    with pytest.raises(CryptoError, match="Enter it again"):
        vault.decrypt(encrypted, member_id=member_id, region=region)


def test_an_older_key_still_opens(settings: Settings) -> None:
    encrypted = vault.encrypt(TOKEN, member_id=7, region="spo1")
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.CREDENTIAL_KEYS]
    assert vault.decrypt(encrypted, member_id=7, region="spo1") == TOKEN


def test_a_lost_key_is_said_in_one_sentence(settings: Settings) -> None:
    encrypted = vault.encrypt(TOKEN, member_id=7, region="spo1")
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CryptoError, match=r"^The credential for spo1 can't be decrypted\. Enter it again\.$"):
        vault.decrypt(encrypted, member_id=7, region="spo1")


@pytest.mark.parametrize("content", [b"not JSON", b"{}", b'{"member_id":7,"region":"spo1","credential":{"type":"?"}}'])
def test_a_content_that_is_none_of_ours_does_not_open(settings: Settings, content: bytes) -> None:
    encrypted = Fernet(settings.CREDENTIAL_KEYS[0]).encrypt(content)
    with pytest.raises(CryptoError, match="can't be decrypted"):
        vault.decrypt(encrypted, member_id=7, region="spo1")


@pytest.mark.parametrize("keys", [[], ["not a Fernet key"]])
def test_without_a_usable_key_nothing_is_encrypted(settings: Settings, keys: list[str]) -> None:
    settings.CREDENTIAL_KEYS = keys
    with pytest.raises(CryptoError, match="CREDENTIAL_KEYS") as caught:
        vault.encrypt(TOKEN, member_id=7, region="spo1")
    assert "not a Fernet key" not in "".join(traceback.format_exception(caught.value))


def test_an_error_carries_nothing_of_the_secret(settings: Settings) -> None:
    content = json.dumps({"member_id": 7, "region": "spo1", "credential": {"type": TOKEN.token}}).encode()
    encrypted = Fernet(settings.CREDENTIAL_KEYS[0]).encrypt(content)
    with pytest.raises(CryptoError) as caught:
        vault.decrypt(encrypted, member_id=7, region="spo1")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert TOKEN.token not in "".join(traceback.format_exception(caught.value))


def test_resealing_moves_to_the_first_key(settings: Settings) -> None:
    encrypted = vault.encrypt(TOKEN, member_id=7, region="spo1")
    newest = Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [newest, *settings.CREDENTIAL_KEYS]
    renewed = vault.reencrypt(encrypted, member_id=7, region="spo1")
    settings.CREDENTIAL_KEYS = [newest]
    assert vault.decrypt(renewed, member_id=7, region="spo1") == TOKEN


def test_resealing_leaves_alone_what_is_under_the_first_key() -> None:
    encrypted = vault.encrypt(TOKEN, member_id=7, region="spo1")
    assert vault.reencrypt(encrypted, member_id=7, region="spo1") == encrypted


def test_resealing_does_not_give_a_copied_row_to_its_new_owner() -> None:
    encrypted = vault.encrypt(TOKEN, member_id=7, region="spo1")
    with pytest.raises(CryptoError):
        vault.reencrypt(encrypted, member_id=8, region="spo1")


def test_a_fingerprint_is_short_steady_and_tells_credentials_apart(settings: Settings) -> None:
    before = vault.fingerprint(TOKEN)
    assert before == vault.fingerprint(BearerToken(TOKEN.token))
    assert len({before, vault.fingerprint(API_KEY), vault.fingerprint(BearerToken("another"))}) == 3
    assert [len(pair) for pair in before.split(":")] == [2, 2, 2, 2]
    settings.SECRET_KEY = "another" * 10
    assert vault.fingerprint(TOKEN) != before, "not keyed"


def test_a_member_finds_their_own_credential_and_no_other(ada: Member, otto: Member) -> None:
    keep(ada, TOKEN)
    assert find_credential(ada, SPO1) == TOKEN
    assert find_credential(otto, SPO1) is None
    assert find_credential(ada, Region("sao2", "http://127.0.0.1:1")) is None


def test_a_row_copied_to_another_member_does_not_open(ada: Member, otto: Member) -> None:
    row = keep(ada, TOKEN)
    row.pk, row.member = None, otto
    row.save(force_insert=True)
    with pytest.raises(CryptoError):
        find_credential(otto, SPO1)
    assert not read_status(row).can_open


def test_a_row_that_opens_is_known_to(ada: Member) -> None:
    assert read_status(keep(ada, TOKEN)).can_open


def test_a_text_that_is_encrypted_opens_for_its_purpose_alone() -> None:
    encrypted = encrypt_text("JBSWY3DP", purpose="a")
    assert "JBSWY3DP" not in encrypted
    assert decrypt_text(encrypted, purpose="a") == "JBSWY3DP"
    with pytest.raises(CryptoError):
        decrypt_text(encrypted, purpose="b")


def test_a_text_is_encrypted_anew_under_the_first_key_only_where_it_is_not_yet(settings: Settings) -> None:
    encrypted = encrypt_text("JBSWY3DP", purpose="a")
    assert reencrypt_text(encrypted, purpose="a") == encrypted
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.CREDENTIAL_KEYS]
    renewed = reencrypt_text(encrypted, purpose="a")
    assert renewed != encrypted
    settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS[:1]
    assert decrypt_text(renewed, purpose="a") == "JBSWY3DP"
    with pytest.raises(CryptoError):
        decrypt_text(encrypted, purpose="a")
