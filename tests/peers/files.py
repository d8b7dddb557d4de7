"""A folder of files over HTTPS, for the tests in tests/src/commands/bundles.rs.

    files.py FOLDER CERTIFICATE KEY

`/endless` never ends, `/slow` says one byte and then nothing, `/away` is said to lie elsewhere, and
`/cut/FILE` breaks off every 64 KiB. Prints `ready PORT`, a line of JSON for each that is asked of
`/cut`, the headers `Range` and `If-Range`, and a line for each that is asked of `/slow`.
"""

import functools
import hashlib
import http.server
import json
import os
import ssl
import sys
import threading


class Files(http.server.SimpleHTTPRequestHandler):
    def cut(self, name):
        """One piece of the file, as RFC 9110 has it, under a promise of all the rest."""
        with open(os.path.join(self.directory, os.path.basename(name)), "rb") as file:
            whole = file.read()
        asked = self.headers["Range"]
        print(json.dumps([asked, self.headers["If-Range"]]), flush=True)
        tag = '"' + hashlib.md5(whole).hexdigest() + '"'
        start = 0
        if asked and self.headers["If-Range"] in (None, tag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        else:
            self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(whole) - start))
        self.end_headers()
        self.wfile.write(whole[start : start + (64 << 10)])
        self.close_connection = True

    def do_GET(self):
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/bundle")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/cut/"):
            self.cut(self.path)
        elif self.path in ("/endless", "/slow"):
            if self.path == "/slow":
                print("slow", flush=True)
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
