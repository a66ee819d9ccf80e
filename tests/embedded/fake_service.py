"""Stands in for a service: FAKE sets its behaviour, and it returns its environment."""

import http.server
import json
import os
import sys

mode = os.environ.get("FAKE", "ready")
environment = {name: value for name, value in os.environ.items() if name.startswith("RONDO_")}


class Answers(http.server.BaseHTTPRequestHandler):
    """`/readyz` in the form of the platform's services, and `/env`."""

    def do_GET(self) -> None:
        ready = mode == "ready" or self.path != "/readyz"
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(json.dumps(environment).encode() if ready else b"kafka: no answer")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


if mode == "dies":
    sys.exit("FATAL no model store")
address = os.environ["RONDO_HTTP_HOST"], int(os.environ["RONDO_HTTP_PORT"])
http.server.ThreadingHTTPServer(address, Answers).serve_forever()
