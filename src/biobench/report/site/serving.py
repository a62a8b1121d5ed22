"""A site on this machine's own address, for browsers of this machine alone.

serve(Path("site"), say)        # until Ctrl-C
"""

import functools
import http.server
import ipaddress
from collections.abc import Callable
from pathlib import Path

__all__ = ["make_server", "serve"]

PORT = 8642
"""tried first, so that a link of yesterday works today; taken: any that is free."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    """The files of one folder, for requests that name this machine's loopback address.

    A page of elsewhere can have its name point to 127.0.0.1 and then read what is served here
    (DNS rebinding); its name is in the header `Host`.
    """

    server_version = "biobench"
    sys_version = ""

    def send_head(self):
        if not _is_loopback(self.headers.get("Host", "")):
            self.send_error(403, "this server answers to localhost only")
            return None
        return super().send_head()

    def list_directory(self, path):
        self.send_error(404, "no such page")
        return None

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        super().end_headers()

    def log_message(self, format, *args):
        pass


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def make_server(site: Path, port: int = PORT) -> http.server.ThreadingHTTPServer:
    """A server of the folder on 127.0.0.1; it is the caller's to run and to close."""
    handler = functools.partial(_Handler, directory=str(site))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


def serve(site: Path, say: Callable[[str], object]) -> None:
    """Serve the folder until Ctrl-C; `say` is given the address once it is open."""
    with make_server(site) as server:
        say(f"http://127.0.0.1:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("closed")
