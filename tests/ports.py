"""Ports of this machine, for what tests start."""

import socket


def find_free_port() -> int:
    """A port that the system gives to no one else for a minute: what has just been closed waits for late packets."""
    with socket.socket() as listening, socket.socket() as calling:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port: int = listening.getsockname()[1]
        calling.connect(("127.0.0.1", port))
        listening.accept()[0].close()
        return port
