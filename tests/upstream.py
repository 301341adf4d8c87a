"""Controls the sandbox over HTTP: faults, changes, and the request log."""

from typing import Any

from requests import Response, request


class Upstream:
    """The sandbox's control API."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/_sandbox"

    def script(self, **fault: Any) -> None:
        """The next `times` (1) answers are this fault."""
        self._call("POST", "faults", fault)

    def limit_pages(self, largest: int, *, refuses: bool) -> None:
        """More than `largest` a page are refused, or else cut to as many."""
        self._call("POST", "limits", {"largest_page": largest, "refuses_larger": refuses})

    def clear_log(self) -> None:
        self._call("DELETE", "requests")

    def clear(self) -> None:
        """Drop the faults that are left, and the log."""
        self._call("DELETE", "faults")
        self._call("DELETE", "requests")

    def create(self, count: int) -> list[str]:
        """Their ids, newest last. They are there until the sandbox is reset."""
        return [str(instance["id"]) for instance in self._call("POST", "instances", {"count": count}).json()]

    def reset(self) -> None:
        """The sandbox as at its start."""
        self._call("POST", "reset")

    def change(self, instance_id: str, **change: Any) -> None:
        self._call("POST", f"instances/{instance_id}", change)

    def requests(self) -> list[dict[str, Any]]:
        """What the API was asked, oldest first."""
        log = self._call("GET", "requests").json()
        return list(log["requests"] if isinstance(log, dict) else log)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Response:
        answer = request(method, f"{self.url}/{path}", json=body, timeout=5)
        answer.raise_for_status()
        return answer
