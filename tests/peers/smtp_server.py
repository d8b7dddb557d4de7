"""A mail server of aiosmtpd, for the tests in tests/src/alert.

    smtp_server.py starttls|tls|plain CERTIFICATE KEY

Takes mail for anybody but `nobody@…` from the user `gatehouse` with the password `correct horse`; with
`plain`, from everybody. Prints `ready PORT`, then each mail as one line of JSON.
"""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Inbox:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "authenticated": bool(session.authenticated),
            "subject": mail["subject"],
            "message-id": mail["message-id"],
            "type": mail.get_content_type(),
            "body": mail.get_content(),
        }
        print(json.dumps(told), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    is_known = isinstance(data, LoginPassword) and (data.login, data.password) == (
        b"gatehouse",
        b"correct horse",
    )
    return AuthResult(success=is_known, handled=False)


def main():
    kind, certificate, key = sys.argv[1:4]
    context = None
    if kind != "plain":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)

    def factory():
        if kind == "plain":
            return SMTP(Inbox(), hostname="localhost")
        return SMTP(
            Inbox(),
            hostname="localhost",
            tls_context=context if kind == "starttls" else None,
            require_starttls=kind == "starttls",
            auth_require_tls=kind == "starttls",
            auth_required=True,
            authenticator=authenticate,
        )

    async def serve():
        loop = asyncio.get_running_loop()
        wrapped = context if kind == "tls" else None
        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=wrapped)
        print("ready", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


main()
