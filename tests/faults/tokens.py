"""Keys, and tokens of which is known beforehand whether they are good, and from when to when."""

import base64
import collections
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import secrets
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OTOOLS = os.environ.get("OTOOLS", str(ROOT / "dist" / "otools"))
MINT = os.environ.get("OJWT_MINT", str(ROOT / "target" / "debug" / "examples" / "mint"))

HOST = "example.com"
HOUR, DAY = 3600, 86400
ALGS = ("RS256", "ES256", "EdDSA", "HS256")
# Keys of the endpoint that rotates them.
ROTATIONS = 12
# So many that no worker sees one twice in a row of the table.
FRESH = 600

# A token, and whether the gates are to let it in; `begins` and `ends` are its nbf and exp.
Case = collections.namedtuple("Case", "name token valid begins ends", defaults=(None, None))


def run(*command, text=None):
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout.strip()


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header, claims, sign):
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{encoded(sign(signed.encode()))}"


def mac(secret):
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


class Tokens:
    """Made once for a run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.now = int(time.time())
        self.secret, self.numbers = secrets.token_bytes(32), itertools.count()
        self.jwks = {name: self.key(name, alg) for name, alg in self.names()}
        (self.folder / "secret").write_bytes(secrets.token_bytes(32))
        (self.folder / "other secret").write_bytes(secrets.token_bytes(32))
        self.signed, self.forms = [], {}
        self.make()

    @staticmethod
    def names():
        yield from ((alg, alg) for alg in ALGS)
        yield from ((f"forger {alg}", alg) for alg in ALGS)
        yield from ((f"rotation {number}", "ES256") for number in range(ROTATIONS))

    def path(self, name):
        return str(self.folder / f"{name}.key")

    def key(self, name, alg):
        """Makes a private key, and gives the JWK that verifies: its `kid` is the algorithm, or the rotation."""
        kid = name.removeprefix("forger ")
        if alg == "HS256":
            secret = self.secret if name == kid else secrets.token_bytes(32)
            jwk = {"kty": "oct", "alg": alg, "kid": kid, "k": encoded(secret)}
            pathlib.Path(self.path(name)).write_text(json.dumps(jwk))
            os.chmod(self.path(name), 0o600)
            return jwk
        run(OTOOLS, "make_priv_key", "-o", self.path(name), "--alg", alg)
        return json.loads(run(OTOOLS, "jwks", self.path(name)))["keys"][0] | {"kid": kid, "alg": alg}

    def key_set(self, *names):
        return json.dumps({"keys": [self.jwks[name] for name in names or ALGS]})

    def pem(self, name):
        return run(OTOOLS, "make_pub_key", "-i", self.path(name), "-o", "-") + "\n"

    def decryption_key_set(self):
        secret = encoded((self.folder / "secret").read_bytes())
        key = {"kty": "oct", "use": "enc", "alg": "A256KW", "kid": "secret", "k": secret}
        return json.dumps({"keys": [key, *(self.jwks[alg] for alg in ALGS)]})

    def claims(self, **claims):
        """Those of a token for a week, which no other has."""
        usual = {"sub": "someone", "jti": f"{next(self.numbers):08}", "host": HOST, "iat": self.now}
        return usual | {"exp": self.now + 7 * DAY} | claims

    def spec(self, name, alg, kid=None, secret=None, **claims):
        spec = {"key": self.path(name), "alg": alg, "kid": kid or alg, "claims": self.claims(**claims)}
        return spec | ({"secret": str(self.folder / secret)} if secret else {})

    def mint(self, specs):
        return run(MINT, text="\n".join(map(json.dumps, specs))).split("\n")

    def fresh(self):
        """One that was never seen before, signed here and now."""
        header = {"alg": "HS256", "kid": "HS256"}
        return Case("fresh HS256", compact(header, self.claims(), mac(self.secret)), True)

    def make(self):
        """All but those that `fresh` makes."""
        now = self.now
        good, fresh, bad, nested, encrypted = [], [], [], [], []

        def add(cases, name, valid, spec, begins=None, ends=None):
            cases.append((Case(name, None, valid, begins, ends), spec))

        for alg in ALGS:
            add(good, f"{alg}, remembered", True, self.spec(alg, alg))
            add(bad, f"{alg}, expired", False, self.spec(alg, alg, exp=now - 30 * DAY))
            add(bad, f"{alg}, not yet valid", False, self.spec(alg, alg, nbf=now + 30 * DAY))
            add(bad, f"{alg}, forged", False, self.spec(f"forger {alg}", alg))
        for number in range(FRESH):
            alg = ("ES256", "EdDSA")[number % 2]
            add(fresh, f"fresh {alg}", True, self.spec(alg, alg))
        add(bad, "named as another key's", False, self.spec("ES256", "ES256", kid="RS256"))
        add(bad, "of an unknown key", False, self.spec("ES256", "ES256", kid="nobody's"))
        add(bad, "for another host", False, self.spec("ES256", "ES256", host="example.net"))
        add(bad, "claims of a wrong type", False, self.spec("ES256", "ES256", sub=1))
        revoked = [(Case("revoked", None, False), self.spec("ES256", "ES256", sub="thief"))]
        for alg in ALGS:
            add(nested, f"{alg}, nested", True, self.spec(alg, alg, secret="secret"))
        add(nested, "forged within", False, self.spec("forger ES256", "ES256", secret="secret"))
        add(nested, "expired within", False, self.spec("ES256", "ES256", secret="secret", exp=now - HOUR))
        add(nested, "under another secret", False, self.spec("ES256", "ES256", secret="other secret"))
        add(nested, "signed alone", False, self.spec("ES256", "ES256"))
        plain = {"claims": self.claims(), "secret": str(self.folder / "secret")}
        add(encrypted, "encrypted", True, plain)
        add(encrypted, "expired, encrypted", False, plain | {"claims": self.claims(exp=now - HOUR)})
        add(encrypted, "under another secret", False, plain | {"secret": str(self.folder / "other secret")})
        add(encrypted, "signed alone", False, self.spec("ES256", "ES256"))

        # Those whose verdict the clock decides, for the faults of the clock.
        timed = []
        add(timed, "from ten minutes ago on", None, self.spec("ES256", "ES256", nbf=now - 600), begins=now - 600)
        add(timed, "until ten minutes ago", None, self.spec("ES256", "ES256", exp=now - 600), ends=now - 600)
        add(timed, "until in an hour", None, self.spec("EdDSA", "EdDSA", exp=now + HOUR), ends=now + HOUR)
        add(timed, "from in an hour on", None, self.spec("RS256", "RS256", nbf=now + HOUR), begins=now + HOUR)

        rotated = [
            (Case(f"rotation {number}", None, None), self.spec(f"rotation {number}", "ES256", kid=f"rotation {number}"))
            for number in range(ROTATIONS)
        ]
        groups = [good, fresh, bad, revoked, nested, encrypted, timed, rotated]
        made = iter(self.mint([spec for group in groups for _, spec in group]))
        good, fresh, bad, revoked, nested, encrypted, timed, rotated = (
            [case._replace(token=next(made)) for case, _ in group] for group in groups
        )
        bad += self.spoilt(good)
        nested += self.spoilt_encryption(nested[0])
        encrypted += self.spoilt_encryption(encrypted[0])
        self.good, self.new, self.bad, self.revoked = good, fresh, bad, revoked
        self.nested, self.encrypted, self.timed, self.rotated = nested, encrypted, timed, rotated

    def spoilt(self, good):
        """What is no token at all, or was one before somebody changed it."""
        by_alg = {case.name.split(",")[0]: case.token for case in good}
        header, claims, signature = by_alg["ES256"].split(".")
        other = encoded(json.dumps(self.claims(sub="admin")).encode())
        none = compact({"alg": "none"}, self.claims(), lambda _: b"")
        shared = compact({"alg": "HS256", "kid": "RS256"}, self.claims(), mac(self.pem("RS256").encode()))
        texts = {
            "none": None,
            "alg none": none,
            "alg none with a signature": f"{none}{signature}",
            "without its signature": f"{header}.{claims}.",
            "other claims": f"{header}.{other}.{signature}",
            "signature of another": f"{header}.{claims}.{by_alg['EdDSA'].split('.')[2]}",
            "public key as the secret": shared,
            "cut short": by_alg["RS256"][:-20],
            "garbage": "e30.e30.AA",
            "a word": "x",
        }
        return [Case(name, token, False) for name, token in texts.items()]

    @staticmethod
    def spoilt_encryption(case):
        parts = case.token.split(".")
        changed = "A" if parts[3][5] != "A" else "B"
        parts[3] = parts[3][:5] + changed + parts[3][6:]
        return [Case("changed", ".".join(parts), False), Case("none", None, False)]
