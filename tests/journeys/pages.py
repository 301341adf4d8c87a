"""Reads pages as a member would see them: rows, links, texts. Also sends requests as htmx does."""

import html
import re
from typing import Any

from django.test import Client

Response = Any
LIST = "/spo1/instances/"


def text(response: Response) -> str:
    return html.unescape(response.content.decode())


def words(response: Response) -> str:
    """What is read, without the markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", text(response)).split())


def ids(response: Response) -> list[str]:
    return re.findall(r'<tr data-instance-id="([^"]*)"', response.content.decode())


def link(response: Response, label: str) -> str:
    """Where the link with this text leads; fails when there is none."""
    for found in re.finditer(r"<a\b([^>]*)>(.*?)</a>", response.content.decode(), re.DOTALL):
        inner = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[2])).split())
        if inner == label:
            href = re.search(r'href="([^"]*)"', found[1])
            assert href
            return html.unescape(href[1])
    raise AssertionError(f"no link {label!r} in {words(response)}")


def links(response: Response) -> list[str]:
    return [html.unescape(href) for href in re.findall(r'<a\b[^>]*href="([^"]*)"', response.content.decode())]


def is_due(response: Response) -> bool:
    """Whether the page asks for a fresh answer at once."""
    return " data-due" in text(response)


def removal(response: Response, filter_shown: str) -> str:
    """Where the list without this filter is; fails when it is not applied."""
    found = re.search(rf'href="([^"]*)"[^>]* aria-label="Remove the filter {re.escape(filter_shown)}"', text(response))
    assert found, words(response)
    return found[1]


def has_rows(response: Response) -> bool:
    return 'id="table"' in text(response)


def form(response: Response, label: str) -> tuple[str, dict[str, str]]:
    """Where the form with this button posts to, and what it sends; fails when there is none."""
    for found in re.finditer(r"<form\b([^>]*)>(.*?)</form>", response.content.decode(), re.DOTALL):
        if re.search(
            rf"<button[^>]*>(?:<svg.*?</svg>)?\s*(?:<span[^>]*>)?{label}(?:</span>)?</button>", found[2], re.DOTALL
        ):
            assert 'method="post"' in found[1]
            action = re.search(r'action="([^"]*)"', found[1])
            assert action
            fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', found[2]))
            return action[1], {name: html.unescape(value) for name, value in fields.items()}
    raise AssertionError(f"no button {label!r} in {words(response)}")


def press(client: Client, response: Response, label: str) -> Response:
    """Press a button of a form that posts, and follow where that leads."""
    action, fields = form(response, label)
    return client.post(action, fields, follow=True)


def refresh(client: Client, response: Response, **headers: str) -> Response:
    """What the script does by itself: ask for the region again, with the version that the page carries."""
    body = response.content.decode()
    live = re.search(r'<div id="live" hx-get="([^"]*)".*?hx-target="#([^"]*)".*?"Portal-Version": "([^"]*)"', body)
    assert live
    given = {"Portal-Refresh": "1", "Portal-Version": live[3]} | headers
    return ask_htmx(client, html.unescape(live[1]), live[2], **given)


def ask_htmx(client: Client, url: str, target: str, **headers: str) -> Response:
    return client.get(url, headers={"HX-Request": "true", "HX-Target": target, **headers})


def detail_url(response: Response, number: int = 0) -> str:
    """Where the name in a row leads."""
    return [href for href in links(response) if re.match(rf"{LIST}[0-9a-f-]{{36}}/", href)][number]
