"""Timeouts: every child process and every request of a test has one."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent.parent
# A call by one of these names needs `timeout`, or the seconds as its only positional argument.
RUN = {"subprocess.run", "subprocess.check_output", "requests.get", "requests.post", "requests.put", "requests.delete"}
WAIT = ("process.wait", "process.communicate")


def find_unbounded(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(keyword.arg == "timeout" for keyword in node.keywords):
            continue
        name = ast.unparse(node.func)
        if name in RUN or (name.endswith(WAIT) and not node.args):
            yield node.lineno, name


def test_the_rule_finds_what_has_no_bound() -> None:
    source = (
        "subprocess.run(['x'])\nself.process.wait()\nprocess.wait(5)\nrequests.get('x', timeout=1)\nrequests.get('x')"
    )
    assert [line for line, _ in find_unbounded(source)] == [1, 2, 5]


def test_each_child_process_and_request_of_a_test_has_a_bound() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}: {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for line, name in find_unbounded(path.read_text(encoding="utf-8"))
    ]
    assert found == []
