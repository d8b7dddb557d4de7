"""A folder of files over HTTPS, for the tests in tests/src/commands/bundles.rs.

    files.py FOLDER CERTIFICATE KEY

`/endless` never ends, `/slow` says one byte and then nothing, and `/away` is said to lie elsewhere.
Prints `ready PORT`.
"""

import functools
import http.server
import ssl
import sys
import threading


class Files(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/bundle")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path in ("/endless", "/slow"):
            self.send_response(200)
            self.end_headers()
            try:
                self.wfile.write(b"g")
                while self.path == "/endless":
                    self.wfile.write(bytes(1 << 16))
                threading.Event().wait()
            except OSError:
                self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


folder, certificate, key = sys.argv[1:]
handler = functools.partial(Files, directory=folder)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("ready", server.server_port, flush=True)
server.serve_forever()
