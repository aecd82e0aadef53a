"""Whether a port is free, asked before anything is started. Imports nothing that takes long."""

from __future__ import annotations

import socket


class PortTaken(Exception):
    """The port is used by another program. Says which flag to change."""


def check_port(host: str, port: int) -> None:
    """Raise `PortTaken` where the port cannot be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"expected port {port} on {host} to be free, found it taken ({error.strerror}); give another --port"
            ) from error
