"""The portal's settings, with the few environment variables that a test run needs."""

import os

from cryptography.fernet import Fernet

os.environ |= {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "only-for-tests-" + "x" * 50,
    "CREDENTIAL_KEYS": Fernet.generate_key().decode(),
    "PLAIN_HTTP": "1",
    "DEBUG": "0",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "PUBLIC_URL": "http://testserver",
    "BYCLOUD_REGIONS": "spo1=http://127.0.0.1:1,sao2=http://127.0.0.1:1",
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", "sqlite://:memory:"),
    "CACHE_URL": os.environ.get("TEST_CACHE_URL", "locmem://"),
}

from portal.settings import *  # noqa: F403
from portal.settings import TEMPLATES
from tests.printed import refuse_function

TEMPLATES[0]["OPTIONS"]["finalize"] = refuse_function  # type: ignore[index]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Files are looked up as they are asked for: tests have no collected ones.
WHITENOISE_AUTOREFRESH = True
