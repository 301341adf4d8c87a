"""Measures how long each regular expression of the portal takes on inputs made from its own pattern.

Run as a separate process, so that an expression that hangs can be stopped. Prints a line for each that is not linear.
"""

import ast
import gc
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from inspect import ismodule
from itertools import product
from pathlib import Path
from pkgutil import walk_packages
from time import perf_counter
from typing import Any

LENGTH = 4096
# Times the time of a pattern that looks at each sign once. What is quadratic comes to thousands.
MOST = 50
# Below this the machine is measured, not the pattern.
LEAST_SECONDS = 0.005
_ENTRIES = ("match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer")
_parser: Any = re._parser  # there is no other way to a pattern's parts


def find_patterns() -> dict[str, "re.Pattern[Any]"]:
    """Under where each was found: module and class attributes and what they hold, validators, routes, literals."""
    import django  # noqa: PLC0415 -- only as a program

    django.setup()
    import portal.urls  # noqa: PLC0415 -- first: it registers what the other routes use

    found: dict[str, re.Pattern[Any]] = {}
    for part in walk_packages(portal.__path__, "portal."):
        if not part.name.endswith(".__main__"):
            import_module(part.name)
    for name, module in list(sys.modules.items()):
        if name == "portal" or name.startswith("portal."):
            for attribute, value in vars(module).items():
                for pattern in _search(value, depth=5, seen=set()):
                    found[f"{name}.{attribute} {pattern.pattern!r}"] = pattern
            found |= _read_literals(name, Path(module.__file__ or ""))
    found |= {f"route {pattern.pattern}": pattern for pattern in _find_routes()}
    # One that many modules import is measured once.
    return {name: pattern for pattern, name in {pattern: name for name, pattern in found.items()}.items()}


def _search(value: Any, *, depth: int, seen: set[int]) -> Iterator["re.Pattern[Any]"]:
    if isinstance(value, re.Pattern):
        yield value
        return
    if depth == 0 or id(value) in seen or isinstance(value, str | bytes | int | float | None) or ismodule(value):
        return
    seen.add(id(value))
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inner = value
    elif isinstance(value, type):
        # Forms and models keep their fields, and fields their validators, below names of their own.
        inner = [*vars(value).values(), getattr(value, "base_fields", {})]
        inner = [*inner, *getattr(getattr(value, "_meta", None), "fields", ())]
    elif hasattr(value, "regex") or hasattr(value, "validators"):
        regex = getattr(value, "regex", None)
        compiled = getattr(regex, "_wrapped", regex)
        inner = [re.compile(regex) if isinstance(regex, str) else compiled, *getattr(value, "validators", ())]
        inner = [*inner, *(item for item in vars(value).values() if isinstance(item, re.Pattern))]
        if hasattr(value, "user_regex"):
            inner = [*inner, value.user_regex, value.domain_regex]
    elif type(value).__module__.startswith("portal."):
        inner = getattr(value, "__dict__", {}).values()
    for item in inner:
        yield from _search(getattr(item, "_wrapped", item), depth=depth - 1, seen=seen)


def _read_literals(name: str, path: Path) -> dict[str, "re.Pattern[Any]"]:
    """`re.sub("...", ...)` compiles where it is used, out of sight."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ENTRIES:
            is_of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if is_of_re and isinstance(node.args[0], ast.Constant):
                literal: Any = node.args[0].value
                found[f"{name}:{literal!r}"] = re.compile(literal)
    return found


def _find_routes() -> Iterator["re.Pattern[str]"]:
    from django.urls import get_resolver  # noqa: PLC0415

    waiting: list[Any] = [get_resolver()]
    while waiting:
        resolver = waiting.pop()
        for entry in resolver.url_patterns:
            yield entry.pattern.regex
            if hasattr(entry, "url_patterns"):
                waiting.append(entry)
    from django.conf import settings  # noqa: PLC0415

    yield from (re.compile(text) for text in settings.SECURE_REDIRECT_EXEMPT)


def make_texts(pattern: "re.Pattern[Any]", length: int) -> list[str]:
    """Texts of so many signs, made of what the pattern looks for, that mostly just fail to fit."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    words = list(dict.fromkeys([*_find_words(_parser.parse(source, pattern.flags & ~re.UNICODE & ~re.LOCALE)), "a"]))
    whole = "".join(words)
    pieces = [*words[:24], whole, *(first + second for first, second in product(words[:10], repeat=2))]
    texts = []
    for piece in dict.fromkeys(pieces):
        run = (piece * (length // len(piece) + 1))[:length]
        texts += [run, f"{run[:-1]}\x00", f"{whole}{run}"[: length - 1] + "\x00"]
        texts += [f"{word}{run}"[: length - 1] + "\x00" for word in words[:10]]
    return list(dict.fromkeys(texts))


def _find_words(parsed: Any) -> Iterator[str]:
    """Runs of literals, and a sign or two of each set."""
    run = ""
    for operator, argument in parsed:
        name = str(operator)
        if name == "LITERAL":
            run += chr(argument)
            continue
        if run:
            yield run
            run = ""
        if name == "NOT_LITERAL":
            yield "b" if argument == ord("a") else "a"
        elif name == "ANY":
            yield "a"
        elif name == "IN":
            yield from _find_signs(argument)
        else:
            yield from _find_inner(argument)
    if run:
        yield run


def _find_inner(argument: Any) -> Iterator[str]:
    if isinstance(argument, _parser.SubPattern):
        yield from _find_words(argument)
    elif isinstance(argument, tuple | list):
        for item in argument:
            yield from _find_inner(item)


def _find_signs(argument: Any) -> Iterator[str]:
    categories = {"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "0", "CATEGORY_WORD": "a", "CATEGORY_NOT_SPACE": "a"}
    is_negated = str(argument[0][0]) == "NEGATE"
    if is_negated:
        yield from ("a", "-")
    for operator, value in argument:
        if str(operator) == "LITERAL":
            yield chr(value)
        elif str(operator) == "RANGE":
            yield chr(value[0])
        elif str(operator) == "CATEGORY":
            yield categories.get(str(value), "a")


def measure(pattern: "re.Pattern[Any]", text: Any) -> float:
    """The seconds of the slowest way to use it, each the best of three."""
    return max(min(_time(use) for _ in range(3)) for use in _list_uses(pattern, text))


def _list_uses(pattern: "re.Pattern[Any]", text: Any) -> "tuple[Callable[[], object], ...]":
    return lambda: pattern.match(text), lambda: pattern.fullmatch(text), lambda: pattern.sub(text[:0], text)


def _time(use: Callable[[], object]) -> float:
    begin = perf_counter()
    use()
    return perf_counter() - begin


def find_slow(patterns: dict[str, "re.Pattern[Any]"]) -> Iterator[str]:
    most = max(MOST * measure(re.compile("[^\x00]"), "a" * LENGTH), LEAST_SECONDS)
    for name, pattern in patterns.items():
        # In steps: what is cubic or worse shows, and ends, over less.
        for length in (16, 20, 24, 64, 256, 1024, LENGTH):
            slow = next((text for text in make_texts(pattern, length) if _takes_longer(pattern, text, most)), None)
            if slow is not None:
                yield f"{name} over {length} signs like {slow[:40]!r}"
                break


def _takes_longer(pattern: "re.Pattern[Any]", text: str, most: float) -> bool:
    given: Any = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
    # Each of three times: a busy machine is no slow pattern.
    return any(all(_time(use) > most for _ in range(3)) for use in _list_uses(pattern, given))


def main() -> None:
    patterns = find_patterns()
    gc.disable()
    tell = sys.stdout.write
    for name in sorted(patterns):
        tell(f"looked at {name}\n")
    for line in find_slow(patterns):
        tell(f"slow {line}\n")
    tell("done\n")


if __name__ == "__main__":
    main()
