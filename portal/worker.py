"""gunicorn's threaded worker, changed so that a request only takes a thread after it has been received completely.

gunicorn assigns a thread to every connection that has sent a byte, for as long as the client likes. This worker buffers
headers and body in its event loop, with a timeout and a size limit, so that slow clients only use memory. Sending the
response has a timeout, too.
"""

import errno
import socket
from functools import partial
from itertools import islice
from selectors import EVENT_READ
from time import monotonic, sleep
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from portal.settings import DATA_UPLOAD_MAX_MEMORY_SIZE

RECEIVE_SECONDS = 10.0
# How long a client may not take what is sent to it. Most pages fit into the kernel's send buffer. The time that a piece
# of a long file takes is given back at this rate, so that files may take longer, and slow clients do not hold a thread.
SEND_SECONDS = 10.0
SLOWEST_BYTES_PER_SECOND = 32 * 1024
SEND_BUFFER = 1024 * 1024
MOST_HEAD = 64 * 1024
MOST_BODY = DATA_UPLOAD_MAX_MEMORY_SIZE
# Maximum number of incomplete requests. The oldest is dropped when there are more.
MOST_RECEIVING = 600
# How many of them are dropped when file descriptors run out, because running threads need some.
ROOM = 32
# How long to wait for free file descriptors.
NO_ROOM_SECONDS = 0.05
_CHUNK = 64 * 1024
_HEAD_END = b"\r\n\r\n"


class Refusal(Exception):  # noqa: N818 -- it is an answer
    """The request is rejected with this HTTP status."""


class PatientSocket(socket.socket):
    """A socket that passes buffered data to gunicorn and never blocks on receiving."""

    def begin(self, received: bytes) -> None:
        """Start a request with the bytes that were received after the previous one."""
        self.received = bytearray(received)
        self.is_refused = False
        self.length: int | None = None
        self.send_seconds = SEND_SECONDS

    def gather(self) -> bool:
        """Buffer one chunk; the event loop calls again for more. Returns False if the client closed the connection."""
        try:
            chunk = super().recv(_CHUNK)
        except BlockingIOError:
            return True
        if not self.is_refused:
            self.received += chunk
        return bool(chunk)

    def is_whole(self) -> bool:
        """Whether headers and body have been received. Raises `Refusal`. The headers are parsed only once."""
        if self.length is None:
            end = self.received.find(_HEAD_END)
            if (len(self.received) if end < 0 else end) > MOST_HEAD:
                raise Refusal("431 Request Header Fields Too Large")
            if end < 0:
                return False
            self.length = end + len(_HEAD_END) + self._read_head(bytes(self.received[:end]))
        return len(self.received) >= self.length

    def _read_head(self, head: bytes) -> int:
        """Return the length of the body. Sends 100 Continue if the client waits for it."""
        length, is_waiting = 0, False
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            name, value = name.strip().lower(), value.strip()
            if name == b"transfer-encoding":
                raise Refusal("411 Length Required")
            if name == b"content-length" and value.isdigit():
                # Parse at most 18 digits; a longer number is too large anyway.
                length = max(length, int(value[-18:]) if len(value.lstrip(b"0")) <= 18 else MOST_BODY + 1)  # noqa: PLR2004
            is_waiting = is_waiting or (name == b"expect" and value.lower() == b"100-continue")
        if length > MOST_BODY:
            raise Refusal("413 Content Too Large")
        if is_waiting:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return length

    def refuse(self, status: str) -> None:
        """Send an error response if the client accepts it without blocking."""
        self.is_refused = True
        self.received.clear()
        text = f"{status[4:]}.\n"
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}"
        try:
            self.send(f"{head}\r\n\r\n{text}".encode())
            self.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def recv(self, size: int, _flags: int = 0) -> bytes:
        """Called by gunicorn: return buffered data only. An empty buffer looks like a closed connection."""
        given = bytes(self.received[:size])
        del self.received[:size]
        return given

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Called by gunicorn: send with a timeout. A client that is too slow is treated as disconnected."""
        with memoryview(data) as whole:
            for start in range(0, len(whole), _CHUNK):
                self._send_piece(whole[start : start + _CHUNK], flags)

    def _send_piece(self, piece: memoryview, flags: int) -> None:
        began_at = monotonic()
        try:
            self.settimeout(max(self.send_seconds, 0.01))
            super().sendall(piece, flags)
        except TimeoutError as error:
            raise BrokenPipeError(errno.EPIPE, "The client did not take the answer in time") from error
        left = self.send_seconds - (monotonic() - began_at)
        self.send_seconds = min(SEND_SECONDS, left + len(piece) / SLOWEST_BYTES_PER_SECOND)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """The `worker_class` of `portal.gunicorn`. Its own code runs in the event loop and never waits for a client."""

    def init_process(self) -> None:
        # Deadline by connection, oldest first.
        self.receiving: dict[Any, float] = {}
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Drop the oldest incomplete requests if file descriptors run out. gunicorn would stop the worker."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            for conn in list(islice(self.receiving, ROOM)):
                self._drop(conn)
            if not self.receiving:
                sleep(NO_ROOM_SECONDS)

    def enqueue_req(self, conn: Any) -> None:
        """Called when a request begins on a connection. Passes it on once the request is complete."""
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = PatientSocket(fileno=conn.sock.detach())
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        conn.sock.begin(conn.parser.unreader.take_buffered() if conn.parser else b"")
        conn.sock.setblocking(False)
        while len(self.receiving) >= MOST_RECEIVING:
            self._drop(next(iter(self.receiving)))
        self.receiving[conn] = monotonic() + RECEIVE_SECONDS
        self.poller.register(conn.sock, EVENT_READ, partial(self._receive, conn))
        self._receive(conn, conn.sock)

    def _receive(self, conn: Any, _sock: Any) -> None:
        if conn not in self.receiving:
            # It was dropped for a newer one whose event came just before this one.
            return
        try:
            is_there = conn.sock.gather()
            if not conn.sock.is_refused and conn.sock.is_whole():
                self._forget(conn)
                conn.data_ready = True
                super().enqueue_req(conn)
            elif not is_there:
                self._drop(conn)
        except Refusal as refusal:
            # Keep reading and discarding what the client sends; otherwise the response would be lost.
            conn.sock.refuse(str(refusal))
        except OSError:
            self._drop(conn)

    def murder_pending(self) -> None:
        """Called about once a second. Drops connections that have reached their deadline."""
        super().murder_pending()
        now = monotonic()
        for conn, until in list(self.receiving.items()):
            has_begun = bool(conn.sock.received) and not conn.sock.is_refused
            if until <= now and has_begun:
                conn.sock.refuse("408 Request Timeout")
            if until <= now or not (self.alive or has_begun):
                self._drop(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        # Bytes received after this request belong to the next one.
        if conn.parser and isinstance(conn.sock, PatientSocket) and conn.sock.received:
            unreader = conn.parser.unreader
            unreader.unread(unreader.take_buffered() + bytes(conn.sock.received))
            conn.sock.received.clear()
        super().finish_request(conn, fs)

    def _forget(self, conn: Any) -> None:
        del self.receiving[conn]
        self.poller.unregister(conn.sock)

    def _drop(self, conn: Any) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()
