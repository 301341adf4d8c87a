"""What a `User-Agent` header says, in words."""

import pytest

from portal.core.user_agents import describe_user_agent

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_ANDROID = "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko)"
_CHROME = "Chrome/126.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox 128 on Linux"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/126.0.0.0", "Chrome 126 on ChromeOS"),
        (f"{_WINDOWS} {_CHROME}", "Chrome 126 on Windows"),
        (f"{_WINDOWS} {_CHROME} Edg/125.0.0.0", "Edge 125 on Windows"),
        (f"{_MAC} {_CHROME} OPR/111.0.0.0", "Opera 111 on macOS"),
        (f"{_ANDROID} SamsungBrowser/25.0 {_CHROME}", "Samsung Internet 25 on Android"),
        (f"{_MAC} Version/17.5 Safari/605.1.15", "Safari 17 on macOS"),
        (f"{_IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "Safari 17 on iPhone"),
        (f"{_IPHONE} CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1", "Chrome 126 on iPhone"),
        (f"{_IPHONE} FxiOS/127.0 Mobile/15E148 Safari/605.1.15", "Firefox 127 on iPhone"),
        ("curl/8.5.0", "curl 8.5.0"),
        ("python-requests/2.32.3", "python-requests 2.32.3"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Unknown browser on Linux"),
        ("Mozilla/5.0", "Unknown browser"),
        ("", "Unknown browser"),
        ("<b>Firefox/٣</b>", "Unknown browser"),
        ("Firefox/99999999999", "Firefox 9999"),
    ],
)
def test_a_header_is_told_as_browser_and_system(header: str, words: str) -> None:
    assert describe_user_agent(header) == words
