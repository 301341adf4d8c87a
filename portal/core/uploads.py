"""Rejects file uploads. No form accepts files, so reading stops before they use memory or disk space."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class NoUploads(FileUploadHandler):
    """Aborts the upload at the first file. Fields before it are parsed as usual."""

    def new_file(self, *_args: Any, **_kwargs: Any) -> None:
        raise StopUpload(connection_reset=True)

    def receive_data_chunk(self, _raw_data: bytes, _start: int) -> None:
        return None

    def file_complete(self, _file_size: int) -> None:
        return None
