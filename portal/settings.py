"""One settings module for all environments. The defaults are for production.

docs/settings.md documents every setting. Those of sign-in that depend on no environment are in settings_accounts.py.
"""

import logging
import os
from datetime import timedelta
from pathlib import Path

from cryptography.fernet import Fernet

from portal.bycloud.client import Limits
from portal.core import logs as log_lines
from portal.environment import (
    Environment,
    at_least,
    cache_of_bytes,
    is_file,
    is_link,
    one_of,
    read_origin,
    read_public_url,
    read_regions,
    read_role_groups,
    refuse,
)
from portal.settings_accounts import *  # noqa: F403 -- Django reads them from here

BASE_DIR = Path(__file__).resolve().parent.parent
environment = Environment(Path(os.environ.get("ENV_FILE") or BASE_DIR / ".env"))
env, read, read_secret = environment.env, environment.read, environment.read_secret

# Environment

DEBUG = read(env.bool, "DEBUG", default=False)
PLAIN_HTTP = read(env.bool, "PLAIN_HTTP", default=False)
SECRET_KEY = read_secret("SECRET_KEY", purpose="the key that signs sessions: 50 or more random characters")
if len(SECRET_KEY) < 50:
    refuse("SECRET_KEY", f"has {len(SECRET_KEY)} characters; it needs at least 50 random ones")
ALLOWED_HOSTS = read(env.list, "ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if PLAIN_HTTP else [])
if not ALLOWED_HOSTS:
    refuse("ALLOWED_HOSTS", "is not set; it is the comma-separated list of the portal's host names")
# Base URL of links and of the single sign-on callback. Never derived from the request, whose Host header the client
# sets.
_at_home = PLAIN_HTTP and "127.0.0.1" in ALLOWED_HOSTS
PUBLIC_URL = read_public_url(
    read(env.str, "PUBLIC_URL", default=f"http://127.0.0.1:{read(env.int, 'PORT', default=8000)}" if _at_home else ""),
    hosts=ALLOWED_HOSTS,
    allow_plain_http=PLAIN_HTTP,
)
CSRF_TRUSTED_ORIGINS: list[str] = read(env.list, "CSRF_TRUSTED_ORIGINS", default=[])
for origin in CSRF_TRUSTED_ORIGINS:
    if not origin.startswith(("https://", "http://")):
        refuse("CSRF_TRUSTED_ORIGINS", f"has {origin!r}, which is not a valid origin like https://portal.example.com")
TRUSTED_PROXY_COUNT = read(env.int, "TRUSTED_PROXY_COUNT", default=0, validate=at_least(0))

# ByCloud

BYCLOUD_REGIONS = read_regions(
    read(env.str, "BYCLOUD_REGIONS", default="spo1=https://api.spo1.mycloud.com"), allow_plain_http=PLAIN_HTTP
)
BYCLOUD_LIMITS = Limits(
    deadline_seconds=read(env.float, "BYCLOUD_DEADLINE_SECONDS", default=10.0),
    proxy=read(env.str, "BYCLOUD_PROXY", default="") or None,
    ca_bundle=read(env.str, "BYCLOUD_CA_BUNDLE", default="", validate=is_file) or None,
    sends_region_header=read(env.bool, "BYCLOUD_REGION_HEADER", default=False),
)
if not 0 < BYCLOUD_LIMITS.deadline_seconds <= 60:
    refuse("BYCLOUD_DEADLINE_SECONDS", "must be more than 0 and at most 60")
if BYCLOUD_LIMITS.proxy and not BYCLOUD_LIMITS.proxy.startswith(("http://", "https://")):
    refuse("BYCLOUD_PROXY", "must start with http:// or https://")
BYCLOUD_CONSOLE_URL = read(env.str, "BYCLOUD_CONSOLE_URL", default="", validate=is_link)
HELP_URL = read(env.str, "HELP_URL", default="", validate=is_link)
PAGE_FRESH_SECONDS = read(env.float, "PAGE_FRESH_SECONDS", default=15.0, validate=at_least(0))
PAGE_QUICK_SECONDS = read(env.float, "PAGE_QUICK_SECONDS", default=5.0, validate=at_least(1))

BYCLOUD_RATE_PER_MINUTE = read(env.int, "BYCLOUD_RATE_PER_MINUTE", default=60, validate=at_least(1))
BYCLOUD_RATE_PER_HOUR = read(env.int, "BYCLOUD_RATE_PER_HOUR", default=1000, validate=at_least(1))
BYCLOUD_RATE_SCOPE = read(env.str, "BYCLOUD_RATE_SCOPE", default="credential", validate=one_of("credential", "region"))
BYCLOUD_RATE_RESERVE = read(env.float, "BYCLOUD_RATE_RESERVE", default=0.2)
if not 0 <= BYCLOUD_RATE_RESERVE < 0.5:
    refuse("BYCLOUD_RATE_RESERVE", "must be at least 0 and less than 0.5")
WEB_CONCURRENCY = read(env.int, "WEB_CONCURRENCY", default=1, validate=at_least(1))
WEB_THREADS = read(env.int, "WEB_THREADS", default=128, validate=at_least(5, "4 threads never wait for ByCloud"))
_all_hosts = at_least(WEB_CONCURRENCY, "it is the number of processes on all hosts")
PORTAL_PROCESSES = read(env.int, "PORTAL_PROCESSES", default=WEB_CONCURRENCY, validate=_all_hosts)

CREDENTIAL_KEYS = read_secret(
    "CREDENTIAL_KEYS", purpose="the comma-separated Fernet keys that encrypt credentials, newest first"
).split(",")
for key in CREDENTIAL_KEYS:
    try:
        Fernet(key)
    except ValueError:
        refuse("CREDENTIAL_KEYS", "has a key that is not a Fernet key (32 bytes in URL-safe base64)")

CREDENTIAL_WARN_DAYS = read(env.int, "CREDENTIAL_WARN_DAYS", default=14, validate=at_least(0))
FLEET_INDEX = read(env.bool, "FLEET_INDEX", default=True)
FLEET_KEEP_DAYS = read(env.int, "FLEET_KEEP_DAYS", default=30, validate=at_least(1))
AUDIT_DAYS = read(env.int, "AUDIT_DAYS", default=90, validate=at_least(30, "the database keeps newer events"))

# Application

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
INSTALLED_APPS = [
    "portal.core",
    "portal.site",
    "portal.accounts",
    "portal.audit",
    "portal.credentials",
    "portal.saved_views",
    "portal.fleet",
    "portal.instances",
    "portal.overview",
    "portal.changes",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "csp",
    "django_htmx",
    "django_structlog",
]
MIDDLEWARE = [
    "portal.core.middleware.SecurityHeadersMiddleware",
    "portal.core.middleware.EncodingMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.core.compression.CompressionMiddleware",
    "portal.core.middleware.RequestLogMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "portal.accounts.middleware.MemberMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.accounts.middleware.AccessMiddleware",
    "portal.accounts.middleware.LocaleMiddleware",
    "portal.accounts.middleware.PageMiddleware",
    "portal.site.errors.ErrorPageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "portal.core.jinja.Templates",
        "NAME": "jinja2",
        "DIRS": [BASE_DIR / "templates"],
        # Also the widgets of django.forms.
        "APP_DIRS": True,
        "OPTIONS": {
            "environment": "portal.core.jinja.environment",
            "context_processors": [
                "django.contrib.messages.context_processors.messages",
                "portal.core.jinja.csrf",
                "portal.site.context.frame",
            ],
        },
    },
    # Texts that allauth shows by itself.
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Database, cache and sessions

DATABASES = {
    "default": read(env.dj_db_url, "DATABASE_URL", default=f"sqlite:///{BASE_DIR / '.local' / 'portal.sqlite3'}")
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Readers are not blocked by a writer, and a second writer waits for the lock instead of failing.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Requests share a few pooled connections. Requests that wait for ByCloud hold none.
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 16, "timeout": 10}
_pages = read(env.dj_cache_url, "CACHE_URL", default="locmem://")
# Counters must not be evicted to make room for cached pages, so they may use a separate server.
_counters = read(env.dj_cache_url, "COUNTERS_URL", default=read(env.str, "CACHE_URL", default="locmem://"))
CACHES = {
    # allauth stores its rate limits here. In the database, so that they are not lost or evicted.
    "default": {"BACKEND": "portal.accounts.throttles.DatabaseCache"},
    "pages": cache_of_bytes(_pages, "pages", megabytes=64),
    "counters": cache_of_bytes(_counters, "counters", megabytes=16),
}
SESSION_ENGINE = "portal.accounts.sessions.store"
MESSAGE_STORAGE = "portal.core.flash.HostCookieStorage"

# Members

PASSWORD_WORDS = ["bycloud", "portal", *read(env.list, "PASSWORD_WORDS", default=[])]
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
SESSION_IDLE = timedelta(minutes=read(env.int, "SESSION_IDLE_MINUTES", default=30, validate=at_least(5)))
SESSION_ABSOLUTE = timedelta(hours=read(env.int, "SESSION_ABSOLUTE_HOURS", default=8))
if not SESSION_IDLE <= SESSION_ABSOLUTE:
    refuse("SESSION_ABSOLUTE_HOURS", "must not be shorter than SESSION_IDLE_MINUTES")
# Without an e-mail server, an admin passes on the password reset link.
EMAIL_URL = read(env.str, "EMAIL_URL", default="")
if EMAIL_URL:
    _email = read(env.dj_email_url, "EMAIL_URL", default="")
    EMAIL_HOST, EMAIL_PORT = _email["EMAIL_HOST"], _email["EMAIL_PORT"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_USER"], _email["EMAIL_HOST_PASSWORD"]
    EMAIL_BACKEND = _email["EMAIL_BACKEND"]
    EMAIL_USE_TLS, EMAIL_USE_SSL = _email.get("EMAIL_USE_TLS", False), _email.get("EMAIL_USE_SSL", False)
    EMAIL_TIMEOUT = 10
    DEFAULT_FROM_EMAIL = read(env.str, "EMAIL_FROM", default="") or refuse(
        "EMAIL_FROM", "is not set; EMAIL_URL needs it"
    )

# Two-factor authentication

_whom = one_of("nobody", "admins", "everybody")
REQUIRE_SECOND_FACTOR = read(
    env.str, "REQUIRE_SECOND_FACTOR", default="nobody" if PLAIN_HTTP else "admins", validate=_whom
)

# Single sign-on: disabled without OIDC_ISSUER

OIDC_ISSUER = read(env.str, "OIDC_ISSUER", default="").rstrip("/")
OIDC_CLIENT_ID = read(env.str, "OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = read(env.str, "OIDC_CLIENT_SECRET", default="")
OIDC_NAME = read(env.str, "OIDC_NAME", default="")
OIDC_SCOPES = read(env.list, "OIDC_SCOPES", default=["openid", "profile", "email"])
OIDC_GROUPS_CLAIM = read(env.str, "OIDC_GROUPS_CLAIM", default="groups")
OIDC_ROLE_GROUPS = read_role_groups(
    read(env.str, "OIDC_ROLE_GROUPS", default=""), roles=("admin", "operator", "viewer")
)
OIDC_COUNTS_AS_SECOND_FACTOR = read(env.bool, "OIDC_COUNTS_AS_SECOND_FACTOR", default=False)
OIDC_CA_BUNDLE = read(env.str, "OIDC_CA_BUNDLE", default="", validate=is_file)
# Origins that the single sign-on form may redirect to (CSP form-action).
_further: list[str] = read(env.list, "OIDC_ORIGINS", default=[])
OIDC_ORIGINS = [read_origin("OIDC_ORIGINS", url, allow_plain_http=PLAIN_HTTP) for url in _further]
SSO_ONLY = read(env.bool, "SSO_ONLY", default=False)
if OIDC_ISSUER:
    OIDC_ORIGINS = [read_origin("OIDC_ISSUER", OIDC_ISSUER, allow_plain_http=PLAIN_HTTP), *OIDC_ORIGINS]
    # The maximum length of the database column.
    if len(OIDC_ISSUER) > 200:
        refuse("OIDC_ISSUER", "must not have more than 200 characters")
    OIDC_NAME = OIDC_NAME or OIDC_ORIGINS[0].partition("://")[2]
    for name, given in (
        ("OIDC_CLIENT_ID", OIDC_CLIENT_ID),
        ("OIDC_CLIENT_SECRET", OIDC_CLIENT_SECRET),
        ("OIDC_ROLE_GROUPS", OIDC_ROLE_GROUPS),
    ):
        if not given:
            refuse(name, "is not set; single sign-on (OIDC_ISSUER) needs it")
    if "openid" not in OIDC_SCOPES:
        refuse("OIDC_SCOPES", "must include openid")
elif SSO_ONLY:
    refuse("SSO_ONLY", "requires OIDC_ISSUER; without it, only admins could sign in")

# Cookies, TLS and headers

_prefix = "" if PLAIN_HTTP else "__Host-"
SESSION_COOKIE_NAME = f"{_prefix}sessionid"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = int(SESSION_ABSOLUTE.total_seconds())
CSRF_COOKIE_NAME = f"{_prefix}csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.site.errors.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not PLAIN_HTTP
SECURE_HSTS_SECONDS = 0 if PLAIN_HTTP else 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not PLAIN_HTTP
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        **{name: ["'none'"] for name in ("default-src", "frame-ancestors", "base-uri")},
        **{name: ["'self'"] for name in ("script-src", "style-src", "img-src", "connect-src", "form-action")},
    }
}

# Languages, time zone, files

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("pt-br", "Português (Brasil)")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = read(env.path, "STATIC_ROOT", default=BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "portal.core.static_files.StaticFilesStorage"},
}
# More than any form needs. The worker buffers up to this much per connection.
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
FILE_UPLOAD_HANDLERS = ["portal.core.uploads.NoUploads"]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Logging

LOGGING = log_lines.LOGGING
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
# The portal's own middleware binds the member and the IP address.
DJANGO_STRUCTLOG_USER_ID_FIELD = ""
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
