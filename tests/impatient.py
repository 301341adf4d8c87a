"""`portal.gunicorn`, with less patience for slow clients, so that tests see its end within seconds."""

from portal import worker
from portal.gunicorn import *  # noqa: F403

worker.RECEIVE_SECONDS = 2.0
