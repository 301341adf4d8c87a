"""gunicorn's threaded worker, but a request takes a thread only once all of it is there.

gunicorn gives a thread to each connection that has sent a byte, for as long as the client likes. Here the worker's loop
gathers head and body, within a time and a size, so that slow clients cost memory alone; and writing has an end, too.
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
# What the client may keep a thread waiting, over one whole answer. Pages fit into the kernel's buffer.
SEND_SECONDS = 10.0
SEND_BUFFER = 1024 * 1024
MOST_HEAD = 64 * 1024
MOST_BODY = DATA_UPLOAD_MAX_MEMORY_SIZE
# Of those that have not sent all yet; who has begun first goes when there are more.
MOST_RECEIVING = 600
# How many of them go when file descriptors run out: threads at work need some, too.
ROOM = 32
# Until others have closed what they hold.
NO_ROOM_SECONDS = 0.05
_CHUNK = 64 * 1024
_HEAD_END = b"\r\n\r\n"


class Refusal(Exception):  # noqa: N818 -- it is an answer
    """What is answered instead of handing the request on."""


class PatientSocket(socket.socket):
    """Gives gunicorn what was received, and never waits for more."""

    def begin(self, received: bytes) -> None:
        """Before a request: with what of it came behind the one before."""
        self.received = bytearray(received)
        self.is_refused = False
        self.length: int | None = None
        self.send_seconds = SEND_SECONDS

    def gather(self) -> bool:
        """Take some of what has arrived; the loop comes back for more. False when the client has closed."""
        try:
            chunk = super().recv(_CHUNK)
        except BlockingIOError:
            return True
        if not self.is_refused:
            self.received += chunk
        return bool(chunk)

    def is_whole(self) -> bool:
        """Whether a request is there, head and body. A head is read once, however often more of the body comes."""
        if self.length is None:
            end = self.received.find(_HEAD_END)
            if (len(self.received) if end < 0 else end) > MOST_HEAD:
                raise Refusal("431 Request Header Fields Too Large")
            if end < 0:
                return False
            self.length = end + len(_HEAD_END) + self._read_head(bytes(self.received[:end]))
        return len(self.received) >= self.length

    def _read_head(self, head: bytes) -> int:
        """How long the body is that follows. Tells a client to send it that waits to be told."""
        length, is_waiting = 0, False
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            name, value = name.strip().lower(), value.strip()
            if name == b"transfer-encoding":
                raise Refusal("411 Length Required")
            if name == b"content-length" and value.isdigit():
                # Digits enough for what is too large, and no more.
                length = max(length, int(value[-18:]) if len(value.lstrip(b"0")) <= 18 else MOST_BODY + 1)  # noqa: PLR2004
            is_waiting = is_waiting or (name == b"expect" and value.lower() == b"100-continue")
        if length > MOST_BODY:
            raise Refusal("413 Content Too Large")
        if is_waiting:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return length

    def refuse(self, status: str) -> None:
        """Answer, if the client takes it at once."""
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
        """For gunicorn: from what was gathered. Behind it nothing comes, as when the client has closed."""
        given = bytes(self.received[:size])
        del self.received[:size]
        return given

    def sendall(self, data: Any, flags: int = 0) -> None:
        """For gunicorn. Ends as if the client had gone when it has kept the answer waiting for too long."""
        began_at = monotonic()
        try:
            self.settimeout(max(self.send_seconds, 0.01))
            super().sendall(data, flags)
        except TimeoutError as error:
            raise BrokenPipeError(errno.EPIPE, "The client did not take the answer in time") from error
        finally:
            self.send_seconds -= monotonic() - began_at


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """`worker_class` of `portal.gunicorn`. All that is its own runs in the worker's loop, which waits for no client."""

    def init_process(self) -> None:
        # Until when, in the order in which they began.
        self.receiving: dict[Any, float] = {}
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Without a file descriptor left, those who have begun first go. gunicorn would end the whole worker."""
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
        """A connection is there on which a request begins. Hand it on when the request is whole."""
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
        try:
            is_there = conn.sock.gather()
            if not conn.sock.is_refused and conn.sock.is_whole():
                self._forget(conn)
                conn.data_ready = True
                super().enqueue_req(conn)
            elif not is_there:
                self._drop(conn)
        except Refusal as refusal:
            # What is still under way is read and let go, or the answer would be lost with it.
            conn.sock.refuse(str(refusal))
        except OSError:
            self._drop(conn)

    def murder_pending(self) -> None:
        """Called for what has waited too long, about once a second."""
        super().murder_pending()
        now = monotonic()
        for conn, until in list(self.receiving.items()):
            has_begun = bool(conn.sock.received) and not conn.sock.is_refused
            if until <= now and has_begun:
                conn.sock.refuse("408 Request Timeout")
            if until <= now or not (self.alive or has_begun):
                self._drop(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        # What came behind the request is the next one's beginning.
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
