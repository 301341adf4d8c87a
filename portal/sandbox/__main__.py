"""`python -m portal.sandbox`: runs the sandbox as a separate process."""

import argparse
import re
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial

from portal.sandbox.organizations import ORGANIZATIONS
from portal.sandbox.server import Sandbox

LARGEST_FLEET = 100_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. If the address is in use, exit with an error message and code 1."""
    options = _parser().parse_args(arguments)
    try:
        sandbox = Sandbox(
            options.instances,
            options.latency,
            options.port,
            host=options.host,
            rate_per_minute=options.rate_per_minute,
            rate_per_hour=options.rate_per_hour,
            settle_seconds=options.settle,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        sys.exit(f"The sandbox cannot start: port {options.port} on {options.host} cannot be used ({reason}).")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with sandbox:
        _say(f"ByCloud sandbox at {sandbox.url}, {options.instances} instances in acme")
        for each in ORGANIZATIONS:
            _say(f"{each.name}: token {each.token}, API key {each.api_key}")
        stopped.wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m portal.sandbox", description="A stand-in ByCloud API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=partial(_whole, most=65535), default=9800, help="0 picks a free one (9800)")
    parser.add_argument(
        "--instances", type=partial(_whole, most=LARGEST_FLEET), default=150, help="size of acme's fleet (150)"
    )
    parser.add_argument("--latency", type=_seconds, default=0.0, help="seconds before each answer (0)")
    parser.add_argument("--rate-per-minute", type=_whole, default=60, help="requests for each credential (60)")
    parser.add_argument("--rate-per-hour", type=_whole, default=1000, help="requests for each credential (1000)")
    parser.add_argument("--settle", type=_seconds, default=5.0, help="seconds until a changed instance settles (5)")
    return parser


def _whole(text: str, *, most: int = 10**9) -> int:
    value = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else -1
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {most}")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 60:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 60")
    return value


if __name__ == "__main__":
    main()
