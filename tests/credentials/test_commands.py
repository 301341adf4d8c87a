"""The commands for automation: `set_credential` and `rotate_credential_keys`."""

import io
from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.bycloud import ApiKey, BearerToken, Credential, Region
from portal.credentials import models
from portal.credentials.management.commands import rotate_credential_keys
from portal.sandbox.server import Sandbox
from tests.conftest import PASSWORD
from tests.credentials.rows import find_credential, keep
from tests.upstream import Upstream

SPO1 = Region("spo1", "")
SetCredential = Callable[..., str]


@pytest.fixture
def set_credential(monkeypatch: pytest.MonkeyPatch, vera: Member, sandbox: Sandbox) -> SetCredential:
    """Runs the command for Vera with `typed` on standard input, and gives back what it prints."""

    def run(typed: str, *, name: str = "vera", region: str = "spo1", kind: str = "bearer") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        out = io.StringIO()
        call_command("set_credential", name, "--region", region, "--kind", kind, stdout=out)
        return out.getvalue()

    return run


@pytest.mark.parametrize(
    ("kind", "typed", "credential"),
    [
        ("bearer", "sandbox-acme-token\n", BearerToken("sandbox-acme-token")),
        ("api-key", "AKIASANDBOXACME:sandbox-acme-secret\n", ApiKey("AKIASANDBOXACME", "sandbox-acme-secret")),
    ],
)
def test_a_credential_from_standard_input_is_checked_and_saved(
    set_credential: SetCredential, vera: Member, kind: str, typed: str, credential: Credential
) -> None:
    printed = set_credential(typed, kind=kind)
    assert "verified and saved" in printed
    assert "sandbox-acme" not in printed
    assert find_credential(vera, SPO1) == credential


@pytest.mark.parametrize(("kind", "typed"), [("bearer", PASSWORD), ("api-key", f"vera:{PASSWORD}")])
def test_the_members_own_password_is_refused_here_too(
    set_credential: SetCredential, upstream: Upstream, kind: str, typed: str
) -> None:
    with pytest.raises(CommandError, match="password for the portal"):
        set_credential(typed, kind=kind)
    assert upstream.requests() == []
    assert not models.Credential.objects.exists()


def test_it_is_on_record_and_not_as_the_members_own_act(set_credential: SetCredential, vera: Member) -> None:
    set_credential("sandbox-acme-token")
    event = Event.objects.get(act=Action.CREDENTIAL_SET)
    assert event.member is None
    assert event.name == "command line"
    assert event.subject == f"{models.Credential.objects.get()} (vera)"


def test_a_secret_with_a_colon_is_split_at_the_first(
    set_credential: SetCredential, vera: Member, upstream: Upstream
) -> None:
    upstream.script(times=9, status=500)
    set_credential("AKIASANDBOXACME:one:two", kind="api-key")
    assert find_credential(vera, SPO1) == ApiKey("AKIASANDBOXACME", "one:two")


def test_a_refused_one_is_not_saved(set_credential: SetCredential, vera: Member) -> None:
    with pytest.raises(CommandError, match=r"rejected this credential \(401\)"):
        set_credential("a-token-nobody-gave-out")
    assert find_credential(vera, SPO1) is None


def test_an_unreachable_bycloud_is_said(set_credential: SetCredential, vera: Member) -> None:
    printed = set_credential("sandbox-acme-token", region="sao2")
    assert "saved, but not verified: ByCloud could not be reached" in printed


@pytest.mark.parametrize(
    ("typed", "options", "sentence"),
    [
        ("x", {"name": "eve"}, "Member eve does not exist"),
        ("x", {"region": "nowhere"}, "Unknown region nowhere. BYCLOUD_REGIONS has spo1, sao2"),
        ("", {}, "Standard input contains no credential"),
        ("no-colon-here", {"kind": "api-key"}, "as id:secret"),
        ("two words", {}, "ASCII letters"),
        ("x", {"kind": "carrier-pigeon"}, "invalid choice"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(
    set_credential: SetCredential, vera: Member, typed: str, options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        set_credential(typed, **options)


def test_without_a_key_it_is_refused_in_a_sentence(
    set_credential: SetCredential, vera: Member, settings: Settings
) -> None:
    settings.CREDENTIAL_KEYS = []
    with pytest.raises(CommandError, match="no valid encryption key"):
        set_credential("sandbox-acme-token")


def test_at_a_terminal_the_secret_is_asked_for_without_echo(
    vera: Member, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr(
        "portal.credentials.management.commands.set_credential.getpass", lambda _prompt: "sandbox-acme-token"
    )
    call_command("set_credential", "vera", "--region", "spo1", "--kind", "bearer", stdout=io.StringIO())
    assert find_credential(vera, SPO1) == BearerToken("sandbox-acme-token")


def rotate() -> str:
    out = io.StringIO()
    call_command("rotate_credential_keys", stdout=out)
    return out.getvalue()


def test_rotation_moves_every_credential_to_the_first_key(
    ada: Member, otto: Member, vera: Member, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_credential_keys, "BATCH_SIZE", 2)
    for member in (ada, otto, vera):
        keep(member, BearerToken(f"token-of-{member.username}"))
    newest = Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [newest, *settings.CREDENTIAL_KEYS]
    printed = rotate()
    assert "2 of 3 processed" in printed
    assert "3 of 3 processed" in printed
    assert "Re-encrypted: 3. Already encrypted with the first key: 0." in printed
    settings.CREDENTIAL_KEYS = [newest]
    for member in (ada, otto, vera):
        assert find_credential(member, SPO1) == BearerToken(f"token-of-{member.username}")


def test_rotation_may_be_run_again(ada: Member, settings: Settings) -> None:
    keep(ada, BearerToken("token-of-ada"))
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.CREDENTIAL_KEYS]
    rotate()
    before = list(models.Credential.objects.values())
    assert "Re-encrypted: 0. Already encrypted with the first key: 1." in rotate()
    assert list(models.Credential.objects.values()) == before


def test_rotation_of_nothing_is_done_at_once(db: None) -> None:
    assert "Re-encrypted: 0" in rotate()


def test_rotation_names_what_it_cannot_open_and_does_the_rest(ada: Member, otto: Member, settings: Settings) -> None:
    keep(ada, BearerToken("token-of-ada"))
    [kept_key] = settings.CREDENTIAL_KEYS
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    keep(otto, BearerToken("token-of-otto"))
    newest = Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [newest, kept_key]
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 credential can't be decrypted"):
        call_command("rotate_credential_keys", stdout=out)
    assert "Can't be decrypted with any key: otto, spo1" in out.getvalue()
    settings.CREDENTIAL_KEYS = [newest]
    assert find_credential(ada, SPO1) == BearerToken("token-of-ada")


def test_rotation_without_a_key_says_so(ada: Member, settings: Settings) -> None:
    keep(ada, BearerToken("token-of-ada"))
    settings.CREDENTIAL_KEYS = []
    with pytest.raises(CommandError, match="no valid encryption key"):
        rotate()
