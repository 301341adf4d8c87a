"""Compression: each browser gets an encoding it accepts, and the length of a response does not reveal its content."""

import gzip

import brotli
import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from portal.core.compression import MOST_PADDING_BYTES, CompressionMiddleware, compress, takes_brotli

TEXT = b"<p>the same again</p>" * 100


def answer(response: HttpResponseBase, accepted: str) -> HttpResponseBase:
    request = RequestFactory().get("/", headers={"Accept-Encoding": accepted})
    compressed = CompressionMiddleware(lambda _: response)(request)
    assert isinstance(compressed, HttpResponseBase)
    return compressed


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip, deflate, br", True),
        ("gzip, deflate, br, zstd", True),
        ("BR;q=0.5", True),
        ("br;q=0", False),
        ("br; q=0.000, gzip", False),
        ("br;q=0.001", True),
        ("gzip", False),
        ("brotli", False),
        ("", False),
    ],
)
def test_brotli_goes_to_those_who_take_it(header: str, *, taken: bool) -> None:
    assert takes_brotli(header) is taken


def test_a_page_goes_out_as_brotli_and_says_so(db: None) -> None:
    response = Client().get("/sign-in/", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert response.headers["Content-Encoding"] == "br"
    assert "Accept-Encoding" in response.headers["Vary"]
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert b"</html>" in brotli.decompress(response.content)


def test_a_page_goes_out_as_gzip_to_those_who_take_nothing_else(db: None) -> None:
    response = Client().get("/sign-in/", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert b"</html>" in gzip.decompress(response.content)


def test_what_is_short_streamed_or_compressed_already_stays_as_it_is() -> None:
    for response in (HttpResponse(b"short"), HttpResponse(TEXT, headers={"Content-Encoding": "identity"})):
        before = response.content
        answer(response, "br")
        assert response.content == before
    assert "Content-Encoding" not in answer(StreamingHttpResponse([TEXT]), "br").headers


def test_equal_answers_differ_in_length() -> None:
    lengths = [len(compress(TEXT)) for _ in range(60)]
    assert len(set(lengths)) > 10
    assert max(lengths) - min(lengths) < MOST_PADDING_BYTES
    assert {brotli.decompress(compress(TEXT)) for _ in range(60)} == {TEXT}


def test_a_strong_tag_becomes_a_weak_one() -> None:
    assert answer(HttpResponse(TEXT, headers={"ETag": '"one"'}), "br").headers["ETag"] == 'W/"one"'
    assert answer(HttpResponse(TEXT, headers={"ETag": 'W/"one"'}), "br").headers["ETag"] == 'W/"one"'
