"""The township's platform as far as commands go, in other people's code: jwcrypto signs, rfc8785 makes
the canonical form, and the keys are made and named by jwcrypto too.

Takes one request a line from stdin, as JSON, and answers each with one line:

    {"key": PATH}                    makes a pair, PATH and PATH.pub; answers with the key's thumbprint
    {"sign": COMMAND, "key": PATH}   answers with the command and its signature; `header` is put over
                                     the usual protected header
"""

import json
import sys
from pathlib import Path

import rfc8785
from jwcrypto import jwk, jws


def make(path):
    key = jwk.JWK.generate(kty="OKP", crv="Ed25519")
    Path(path).write_bytes(key.export_to_pem(private_key=True, password=None))
    Path(path + ".pub").write_bytes(key.export_to_pem())
    return key.thumbprint()


def sign(command, path, header):
    key = jwk.JWK.from_pem(Path(path).read_bytes())
    protected = {"alg": "EdDSA", "kid": key.thumbprint()} | header
    token = jws.JWS(rfc8785.dumps(command))
    token.add_signature(key, alg="EdDSA", protected=json.dumps(protected, separators=(",", ":")))
    header, _, signature = token.serialize(compact=True).split(".")
    return json.dumps(command | {"sig": f"{header}..{signature}"})


for line in sys.stdin:
    request = json.loads(line)
    if "sign" in request:
        answer = sign(request["sign"], request["key"], request.get("header", {}))
    else:
        answer = make(request["key"])
    print(answer, flush=True)
