"""How gunicorn serves the portal: `gunicorn -c python:portal.gunicorn portal.wsgi`. Names here are gunicorn's settings.

Reading the portal's settings first makes a bad one stop the start in one sentence, before any worker is there; settings
that are each right and together wrong stop it as it begins.
"""

import os
import sys
from math import ceil
from typing import Any

import django
import structlog
from django.core.checks import run_checks

from portal import settings
from portal.environment import refuse

# What is written, such as the SQLite file, is for the portal's user alone. (gunicorn's own `umask` is for its sockets.)
os.umask(0o077)

_HIGHEST_PORT = 65535
log = structlog.get_logger("portal.gunicorn")
_port = settings.read(settings.env.int, "PORT", default=8000)
if not 0 < _port <= _HIGHEST_PORT:
    refuse("PORT", f"must be between 1 and {_HIGHEST_PORT}")
bind = f"127.0.0.1:{_port}"

# Threads outnumber the calls that may hang upstream at once; processes are for cores.
# A request takes one only when all of it has arrived.
worker_class = "portal.worker.Worker"
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
keepalive = 5
# It would wait for slow readers without an end.
sendfile = False

# A worker may be stopped for silence, and a stop may cut a request off, only after the longest exchange upstream.
timeout = ceil(settings.BYCLOUD_LIMITS.deadline_seconds) + 20
graceful_timeout = ceil(settings.BYCLOUD_LIMITS.deadline_seconds) + 5

# Without a trusted proxy in front, nobody's word is taken for the scheme. With one, Django counts the hops.
forwarded_allow_ips = "*" if settings.TRUSTED_PROXY_COUNT else ""
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
# gunicorn would take SCRIPT_NAME from a header of the proxies it trusts, which may pass a visitor's on.
forwarder_headers = ""
# An address that is too long for a page is answered by the page, beside the field. The worker bounds the whole head.
limit_request_line = 0

# The portal logs each request itself, as JSON; gunicorn would log them a second time.
accesslog = None
# It would stand in the home directory and take commands.
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """Refuse to serve with what `manage.py check --deploy` calls an error."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    found = run_checks(include_deployment_checks=True)
    errors = [message.msg for message in found if message.is_serious() and not message.is_silenced()]
    if errors:
        sys.exit(f"ByCloud Portal cannot start: {' '.join(errors)}")
    for message in found:
        if str(message.id).startswith("portal.") and not message.is_silenced():
            log.warning("deployment_warning", id=message.id, text=message.msg, hint=message.hint)
