"""Health checks: liveness and readiness. They do not depend on ByCloud."""

from collections.abc import Callable

import structlog
from django.core.cache import caches
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portal.core.permissions import Capability, requires

log = structlog.get_logger(__name__)


@requires(Capability.PUBLIC)
@require_safe
def show_live(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("alive\n", content_type="text/plain")


@requires(Capability.PUBLIC)
@require_safe
def show_ready(_request: HttpRequest) -> HttpResponse:
    """200 if the database and the cache respond, otherwise 503. Only the log says which one failed."""
    is_ready = all([_answers("database", _ask_database), _answers("cache", _ask_cache)])
    return HttpResponse(
        "ready\n" if is_ready else "not ready\n", status=200 if is_ready else 503, content_type="text/plain"
    )


def _answers(part: str, ask: Callable[[], None]) -> bool:
    try:
        ask()
    except Exception:
        log.exception("not_ready", part=part)
        return False
    return True


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_cache() -> None:
    caches["pages"].get("health")
