"""Reads the pages as a person would: rows, links, texts. And asks as htmx does."""

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


def ask_htmx(client: Client, url: str, target: str, **headers: str) -> Response:
    return client.get(url, headers={"HX-Request": "true", "HX-Target": target, **headers})


def detail_url(response: Response, number: int = 0) -> str:
    """Where the name in a row leads."""
    return [href for href in links(response) if re.match(rf"{LIST}[0-9a-f-]{{36}}/", href)][number]
