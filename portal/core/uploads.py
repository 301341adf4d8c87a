"""No page takes a file: a form that brings one is not read on, so that nobody fills memory or a disk with it."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class NoUploads(FileUploadHandler):
    """Stops reading at the first file, signed in or not. What stood before it is the form."""

    def new_file(self, *_args: Any, **_kwargs: Any) -> None:
        raise StopUpload(connection_reset=True)

    def receive_data_chunk(self, _raw_data: bytes, _start: int) -> None:
        return None

    def file_complete(self, _file_size: int) -> None:
        return None
