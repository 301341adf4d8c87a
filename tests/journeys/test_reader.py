"""Pages follow the member's preferences: language, number and date formats, refresh interval."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.sandbox.server import Sandbox
from tests.conventions.catalogs import LOCALES, read_po
from tests.credentials.rows import keep
from tests.journeys.pages import LIST, detail_url, has_rows, ids, is_due, refresh, text, words
from tests.upstream import Upstream

PORTUGUESE = {"accept-language": "pt-BR,pt;q=0.9"}
LATER = timedelta(seconds=30)
OTHER_PAGES = (
    "/spo1/views/",
    "/preferences/",
    "/team/",
    "/team/invitations/",
    "/audit/",
    "/credentials/",
    "/credentials/spo1/",
    "/sign-out/",
    "/nothing/",
)


def speak_portuguese() -> None:
    Member.objects.update(language="pt-br")


def read_pace(page: str) -> str:
    found = re.search(r'data-every="(\d+)"', page)
    assert found
    return found[1]


def test_the_list_speaks_portuguese_to_a_person_who_reads_it(operator_client: Client) -> None:
    speak_portuguese()
    response = operator_client.get(LIST)
    read = words(response)
    assert '<html lang="pt-br"' in text(response)
    assert "Instâncias (150)" in read
    assert "1–20 de 150" in read
    assert "Dados de" in read
    assert "agora mesmo" in read
    assert "Próxima" in read
    assert response["Content-Language"] == "pt-br"
    assert {"Accept-Language", "Cookie", "HX-Target"} <= set(response["Vary"].split(", "))


def test_a_table_that_is_kept_is_not_shown_in_another_language(
    operator_client: Client, viewing: Client, clock: time_machine.Traveller
) -> None:
    english = operator_client.get(LIST)
    portuguese = operator_client.get(LIST, headers=PORTUGUESE)
    assert "Building" in words(english)
    assert "Criando" in words(portuguese)
    assert "Building" not in words(portuguese)
    assert text(operator_client.get(LIST)).count("Building") == text(english).count("Building")


def test_an_open_page_is_brought_anew_in_the_language_that_was_chosen_meanwhile(
    operator_client: Client, clock: time_machine.Traveller
) -> None:
    page = operator_client.get(LIST)
    clock.shift(LATER)
    assert refresh(operator_client, page).status_code == 204
    speak_portuguese()
    response = refresh(operator_client, page)
    assert response.status_code == 200
    assert "Linhas por página" in words(response)


def test_an_instance_is_told_in_portuguese_but_for_bycloudss_own_words(operator_client: Client) -> None:
    speak_portuguese()
    response = operator_client.get(detail_url(operator_client.get(f"{LIST}?name=web-20")))
    read = words(response)
    assert "Grupos de segurança" in read
    assert re.search(r"\d de \w{3}\. de 20\d\d, \d\d:\d\d:\d\d \(UTC\)", read)
    assert "RUNNING" in read


@pytest.mark.parametrize(("name", "counted"), [("web-20", "1–1 de 1"), ("zzz-%2A", "Nenhum resultado")])
def test_what_a_filter_finds_is_told_in_portuguese(operator_client: Client, name: str, counted: str) -> None:
    speak_portuguese()
    assert counted in words(operator_client.get(f"{LIST}?name={name}"))


def test_a_large_count_is_written_in_the_readers_way(operator_client: Client, settings: Settings) -> None:
    settings.BYCLOUD_RATE_PER_HOUR = 12345
    assert "12,345" in words(operator_client.get(LIST))
    speak_portuguese()
    assert "12.345" in words(operator_client.get(LIST))


def test_errors_and_refusals_are_shown_in_portuguese(operator_client: Client, upstream: Upstream) -> None:
    speak_portuguese()
    assert "Informe um número inteiro de 1 a 100." in words(operator_client.get(f"{LIST}?limit=0"))
    upstream.script(times=9, status=503)
    response = operator_client.get(f"{LIST}?tags=web")
    assert not has_rows(response)
    assert "O ByCloud está indisponível (503)" in words(response)
    assert "Tentar novamente" in words(response)
    assert "Página não encontrada" in words(operator_client.get("/nothing/"))


def test_no_page_falls_back_into_english(client: Client, ada: Member, sandbox: Sandbox) -> None:
    keep(ada, BearerToken("sandbox-acme-token"))
    client.force_login(ada)
    speak_portuguese()
    [catalog] = LOCALES.glob("pt_BR/LC_MESSAGES/django.po")
    english = [entry.message.singular for entry in read_po(catalog) if entry.message.singular not in entry.translations]
    # One word alone may be a name, or Portuguese as well.
    phrases = [phrase for phrase in english if " " in phrase and "%" not in phrase]
    paths = (LIST, detail_url(client.get(LIST)), f"{LIST}?limit=0", *OTHER_PAGES)
    pages = {path: text(client.get(path)) for path in paths}
    assert [(path, phrase) for path, page in pages.items() for phrase in phrases if phrase in page] == []


def test_sign_in_is_refused_in_the_browsers_language(client: Client, vera: Member) -> None:
    response = client.post("/sign-in/", {"login": "vera", "password": "wrong"}, headers=PORTUGUESE)
    assert "Nome de usuário, e-mail ou senha incorretos." in words(response)
    response = client.post("/sign-in/", {"login": "", "password": ""}, headers=PORTUGUESE)
    assert "Este campo é obrigatório." in words(response)


def test_what_the_script_says_stands_in_the_page_in_its_language(operator_client: Client) -> None:
    speak_portuguese()
    page = text(operator_client.get(LIST))
    assert 'data-just-now="agora mesmo"' in page
    assert 'data-live-every="atualização automática: {seconds} s"' in page


@pytest.mark.parametrize(("chosen", "fresh", "pace"), [(15, 10, 15), (15, 20.5, 21), (60, 15, 60), (300, 15, 300)])
def test_a_page_refreshes_at_the_members_pace_but_no_faster_than_there_is_news(
    operator_client: Client, settings: Settings, chosen: int, fresh: float, pace: int
) -> None:
    settings.PAGE_FRESH_SECONDS = fresh
    Member.objects.update(refresh_seconds=chosen)
    # Where nothing is changing.
    response = operator_client.get(f"{LIST}?name=db-%2A")
    assert read_pace(text(response)) == str(pace)
    assert f"auto-refresh: {pace} s" in words(response)
    response = operator_client.get(detail_url(response))
    assert read_pace(text(response)) == str(pace)


def test_a_page_that_refreshes_only_when_asked_says_so_and_has_nothing_to_pause(operator_client: Client) -> None:
    Member.objects.update(refresh_seconds=0)
    response = operator_client.get(LIST)
    assert read_pace(text(response)) == "0"
    assert "manual refresh only" in words(response)
    assert 'id="pause"' not in text(response)


def test_a_page_that_refreshes_only_when_asked_still_opens_with_what_is_new(
    operator_client: Client, clock: time_machine.Traveller
) -> None:
    Member.objects.update(refresh_seconds=0)
    first = operator_client.get(LIST)
    assert not is_due(first)
    clock.shift(LATER)
    response = operator_client.get(LIST)
    assert is_due(response)
    assert ids(response) == ids(first)


def test_a_page_that_refreshes_only_when_asked_promises_no_next_try(
    operator_client: Client, upstream: Upstream
) -> None:
    upstream.script(times=9, status=503)
    assert "next retry in" in words(operator_client.get(LIST))
    Member.objects.update(refresh_seconds=0)
    response = operator_client.get(LIST)
    assert "ByCloud is unavailable (503)" in words(response)
    assert "try in" not in words(response).lower()


def test_the_days_of_a_credential_are_written_in_the_readers_way(operator_client: Client, otto: Member) -> None:
    speak_portuguese()
    otto.credentials.update(expires_on="2026-01-23")
    for page in (LIST, "/credentials/", "/credentials/spo1/"):
        assert "23 de jan. de 2026" in words(operator_client.get(page))
