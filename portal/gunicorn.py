"""Configuration for gunicorn: `gunicorn -c python:portal.gunicorn portal.wsgi`. Names are gunicorn's settings.

Importing the portal's settings first reports an invalid value in one sentence before any worker starts. `on_starting`
reports settings that are valid on their own but not together.
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

# Files the portal writes, such as the SQLite database, are readable by its user only. (gunicorn's own `umask` setting
# only applies to its sockets.)
os.umask(0o077)

_HIGHEST_PORT = 65535
log = structlog.get_logger("portal.gunicorn")
_port = settings.read(settings.env.int, "PORT", default=8000)
if not 0 < _port <= _HIGHEST_PORT:
    refuse("PORT", f"must be between 1 and {_HIGHEST_PORT}")
bind = f"127.0.0.1:{_port}"

# More threads than requests that can block on ByCloud at the same time; one process per core. A request only takes a
# thread after it has been received completely.
worker_class = "portal.worker.Worker"
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
keepalive = 5
# sendfile would wait for slow clients without a timeout.
sendfile = False

# Longer than the longest ByCloud call, so that neither a worker timeout nor a graceful stop interrupts a request.
timeout = ceil(settings.BYCLOUD_LIMITS.deadline_seconds) + 20
graceful_timeout = ceil(settings.BYCLOUD_LIMITS.deadline_seconds) + 5

# Without a trusted proxy, no client may set the scheme. With one, Django counts the proxy hops.
forwarded_allow_ips = "*" if settings.TRUSTED_PROXY_COUNT else ""
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
# gunicorn would accept SCRIPT_NAME from a trusted proxy, which may just forward a client's header.
forwarder_headers = ""
# No limit here, so that a form can show an error for a URL that is too long. The worker limits the size of all headers.
limit_request_line = 0

# The portal writes its own JSON access log.
accesslog = None
# The control socket would be created in the home directory and accept commands.
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """Refuse to start if `manage.py check --deploy` reports errors."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    found = run_checks(include_deployment_checks=True)
    errors = [message.msg for message in found if message.is_serious() and not message.is_silenced()]
    if errors:
        sys.exit(f"ByCloud Portal cannot start: {' '.join(errors)}")
    for message in found:
        if str(message.id).startswith("portal.") and not message.is_silenced():
            log.warning("deployment_warning", id=message.id, text=message.msg, hint=message.hint)
