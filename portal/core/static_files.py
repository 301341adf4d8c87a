"""Static files under names that hold a hash of their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Also puts these names into the imports of our ES modules, so that a browser never mixes two releases.

    Django's own switch for it, `support_js_module_import_aggregation`, reads htmx's files as well, and takes a comment
    in them for an import.
    """

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("js/*.js", ((r'(?P<matched>from "(?P<url>\./\w+\.js)")', 'from "%(url)s"'),)),
    )
