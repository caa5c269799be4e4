#!/usr/bin/env python3
"""Writes fuzz/seeds, which each target begins with, from the vectors and keys of the tests."""

import base64
import json
import pathlib
import shutil

TOP = pathlib.Path(__file__).resolve().parent.parent
SEEDS = TOP / "fuzz" / "seeds"
DATA = TOP / "tests" / "data"

# How many a target has at most, and how long they are.
MOST = 16
LONGEST = 2000


def vectors(name):
    return json.loads((DATA / "vectors" / name).read_text())


def decoded(part):
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return b""


def write(target, inputs, more=()):
    """Writes some of the inputs, of every length, and all of `more`, each once."""
    folder = SEEDS / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    inputs = sorted({text for text in inputs if len(text) <= LONGEST}, key=lambda text: (len(text), text))
    step = max(1, -(-len(inputs) // MOST))
    for number, text in enumerate([*inputs[::step], *more]):
        (folder / f"{number:02}").write_bytes(text)


def der(name):
    lines = (DATA / name).read_text().split("-----BEGIN ")[1].splitlines()
    label = lines[0].removesuffix("-----")
    body = "".join(line for line in lines[1:] if line and not line.startswith("-"))
    return label.encode(), base64.b64decode(body)


def main():
    rfc = vectors("rfc.json")
    jws = vectors("jws.json") + [vector for vector in rfc if vector["token"].count(".") == 2]
    jwe = vectors("jwe.json") + [vector for vector in rfc if vector["token"].count(".") == 4]
    signed = [vector["token"].encode() for vector in jws]
    encrypted = [vector["token"].encode() for vector in jwe]
    parts = [vector["token"].split(".") for vector in jws]
    parts = [[decoded(part) for part in three] for three in parts if len(three) == 3]
    headers = [three[0] for three in parts]
    payloads = [three[1] for three in parts]
    jwe_headers = [decoded(vector["token"].split(".")[0]) for vector in jwe]
    key_sets = [json.dumps(vector["jwks"]).encode() for vector in jws + jwe if "jwks" in vector]
    pems = [path.read_bytes() for path in sorted(DATA.iterdir()) if path.suffix in (".pem", ".crt")]
    keyval = {"a": (DATA / "ed25519.crt").read_text(), "b": "A secret that is long enough for HS256."}
    public = [b"\n".join(der(path.name)) for path in sorted(DATA.glob("*.crt"))]
    public += [b"\n".join(der(path.name)) for path in sorted(DATA.glob("*.pub.pem"))]

    write("compact", signed[::3] + encrypted[::3])
    write("header", headers + jwe_headers)
    write("json", headers + payloads, [b'["\\ud83d\\ude00",1e999,-0,{"\xc2\x85":"\x7f"}]'])
    hosts = ["example.com..", "example.com.:80", "example.com:80.", ".."]
    write("claims", payloads, [json.dumps({"host": host}).encode() for host in hosts] + [b'{"host":["a","[::1]"],"Host":"example.com.:80","aud":["a"]}'])
    write("keys", key_sets, pems + [json.dumps(keyval).encode()])
    write("pem", pems + public + [text.split(b"\n", 1)[1] for text in public])
    write("jwe", encrypted[::5], [
        bytes([alg, alg]) + header + b"\n" + content
        for alg in range(16)
        for header, content in [(b"{}", b'{"exp":4102444800}'), (b'{"cty":"JWT","kid":"a"}', b"{}")]
    ])
    write("transport", [
        b"jwt\njwt=a.b.c&x=1&jwt=%61%2e&jwtx=2",
        b"jwt\nGET /x?jwt=abc.def&y=1 HTTP/1.1",
        b'jwt\njwt=a; x="1"; jwt = "b" ;jwt;jwtx=3',
        b"jwt\n%6awt=a&+jwt=b&x=1;JWT=c&jwt[]=d&jwt%00=e&amp;jwt=f",
        b'jwt\nx=1 jwt=a, jwt = "b c",d; jwt jwt=a =b; JWT\x0b=c',
        b"jwt\nPOST /?%6awt=a;jwt[]=b&x=eyJhbGciOi HTTP/1.1",
        b"name\nBearer a.b.c",
        b"name\nbEARER  a.b.c ",
        b"a\na=&a=1;a=2",
    ])
    write("requirement", [
        b"sub\nalice\n^a.*e$\n" + b'{"sub":"alice"}',
        b'.a."b.c"[1]\n["x",1]\n(?i)X|y\n{"a":{"b.c":[0,["x",2]]}}',
        b'n\n1e2\n\\d+\n{"n":100}',
        b'n\n9007199254740993\n[0-9]\n{"n":9007199254740992.0}',
        b'[0]\n{"a":1}\n\\p{Greek}\n{"":null}',
        b'roles\n["admin","user"]\nadmin\n{"roles":["user",1,true,null,{}]}',
        b'.""\nnull\n.\n{"":{"a":[1.0]}}',
    ])
    numbers = [bytes([alg, 255, named, flags, time, host, 0, 0, 0, 0])
               for alg, named, flags, time, host in [
                   (0, 0, 0, 0, 1), (1, 1, 0, 0, 0), (2, 255, 1, 0, 2), (3, 0, 0, 0, 1),
                   (6, 0, 3, 0, 1), (9, 4, 0, 1, 3), (10, 0, 4, 0, 0), (11, 0, 8, 2, 0),
                   (12, 0, 12, 3, 1), (13, 0, 0, 0, 4)]]
    payload = b'{"exp":4102444800,"nbf":0,"host":["example.com","[::1]"]}'
    names = "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 ES256K EdDSA".split()
    write("verifier", [], [
        ten + header + b"\n" + payload
        for ten in numbers
        for header in [b"", b'{"alg":"%s","kid":"secret"}' % names[ten[0]].encode(),
                       b'{"typ":"JWT","alg":"%s"}' % names[ten[0]].encode()]
    ] + [bytes([0, 1, 0, 0, 0, 1, what, 60, 0, 65]) + b"\n" + payload for what in (1, 2, 3)]
        + [bytes([0, 1, 0, 0, 0, 5, 0, 0, 0, 0]) + b'\n{"host":".."}'])


if __name__ == "__main__":
    main()
