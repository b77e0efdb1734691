# Makes joserfc.jsonl beside this file: keys and tokens from joserfc 1.8.0
# (cryptography 50.0.2). The keys are new at each run and are for tests only.
#
# In a scratch folder outside the repository:
#   python3 -m venv venv
#   venv/bin/pip install joserfc==1.8.0 cryptography==50.0.2
#   venv/bin/python path/to/make_joserfc.py

import base64
import hashlib
import hmac
import json
import pathlib
from importlib.metadata import version

from cryptography.hazmat.primitives import serialization as ser
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

LIBRARY = f"joserfc {version('joserfc')}"
ISS = "https://issuer.example/"
AUD = "https://api.example/"
NOW = 1900000100

lines = []


def claims_for(line_id, aud):
    return {
        "iss": ISS,
        "sub": "user-17",
        "aud": aud,
        "exp": 1900003600,
        "nbf": 1900000000,
        "iat": 1900000000,
        "jti": line_id,
        "scope": "orders:read orders:write",
        "name": "Zoë Ångström 李雷 🦊",
        "tenant": {"id": 42, "città": "Łódź", "plan": {"tier": "gold", "quota": 12.5}},
    }


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_key(alg):
    parameters = {"use": "sig", "alg": alg}
    if alg[:2] in ("RS", "PS"):
        key = RSAKey.generate_key(2048, parameters)
    elif alg.startswith("ES"):
        key = ECKey.generate_key({"ES256": "P-256", "ES384": "P-384"}[alg], parameters)
    else:
        key = OKPKey.generate_key("Ed25519", parameters)
    key.ensure_kid()  # the RFC 7638 thumbprint
    return key


def write(line_id, token, claims, key_fields, why=None):
    header = json.loads(unb64(token.split(".")[0]))
    line = {
        "id": line_id,
        "library": LIBRARY,
        "expect": "reject" if why else "accept",
        **({"why": why} if why else {}),
        "alg": header["alg"],
        "typ": header.get("typ"),
        "kid": header.get("kid"),
        "iss": ISS,
        "aud": AUD,
        "now": NOW,
        "claims": claims,
        **key_fields,
        "token": token,
    }
    lines.append(json.dumps(line, ensure_ascii=False))


def hmac_case(alg, size, aud):
    line_id = f"joserfc/{alg}"
    key = OctKey.generate_key(size * 8, {"use": "sig", "alg": alg})
    claims = claims_for(line_id, aud)
    header = {"alg": alg, "kid": f"shared-{alg.lower()}"}
    token = jwt.encode(header, claims, key, algorithms=[alg])
    write(line_id, token, claims, {"secret_base64url": b64(key.raw_value)})


def case(name, alg, *, aud=AUD, change=None, typ=None, with_kid=True,
         more_keys=(), legacy_pem=False, signer=None, spoil=None, why=None):
    line_id = f"joserfc/{name}"
    key = new_key(alg)
    claims = {**claims_for(line_id, aud), **(change or {})}
    header = {"alg": alg}
    if with_kid:
        header["kid"] = key.kid
    if typ:
        header["typ"] = typ
    token = jwt.encode(header, claims, signer or key, algorithms=[alg])
    if spoil:
        token = spoil(token, key)
    others = [new_key(a).as_dict(private=False) for a in more_keys]
    fields = {
        "public_jwks": {"keys": [*others, key.as_dict(private=False)]},
        "public_pem": key.as_pem(private=False).decode(),
        "private_pem": key.as_pem(private=True).decode(),
        "private_jwk": key.as_dict(private=True),
    }
    if legacy_pem:
        legacy = "private_sec1_pem" if alg.startswith("ES") else "private_pkcs1_pem"
        fields[legacy] = key.private_key.private_bytes(
            ser.Encoding.PEM, ser.PrivateFormat.TraditionalOpenSSL, ser.NoEncryption()
        ).decode()
    write(line_id, token, claims, fields, why)


def flip_bit(token, _key):
    head, body, sig = token.split(".")
    sig = bytearray(unb64(sig))
    sig[len(sig) // 2] ^= 1
    return f"{head}.{body}.{b64(bytes(sig))}"


def pem_as_secret(token, key):
    head, body, _ = token.split(".")
    header = {**json.loads(unb64(head)), "alg": "HS256"}
    signed = b64(json.dumps(header).encode()) + "." + body
    mac = hmac.new(key.as_pem(private=False), signed.encode(), hashlib.sha256)
    return f"{signed}.{b64(mac.digest())}"


LIST = ["https://other-api.example/", AUD]

hmac_case("HS256", 32, LIST)
hmac_case("HS384", 48, AUD)
hmac_case("HS512", 64, LIST)
case("RS256", "RS256")
case("RS384", "RS384", aud=LIST)
case("RS512", "RS512")
case("PS256", "PS256", aud=LIST)
case("PS384", "PS384")
case("PS512", "PS512", aud=LIST, legacy_pem=True)
case("ES256", "ES256", legacy_pem=True)
case("ES384", "ES384", aud=LIST, legacy_pem=True)
case("EdDSA", "EdDSA")
case("Ed25519", "Ed25519", aud=LIST)
case("ES256-fractional-times", "ES256",
     change={"iat": 1900000000.25, "exp": 1900003600.5})
case("RS256-at-jwt", "RS256", typ="at+jwt")
case("EdDSA-no-kid", "EdDSA", with_kid=False)
case("EdDSA-three-keys", "EdDSA", more_keys=("EdDSA", "ES256"))
case("reject-expired", "EdDSA", why="expired at now",
     change={"iat": 1899992800, "nbf": 1899992800, "exp": 1899996400})
case("reject-audience", "ES256", why="wrong audience",
     aud=["https://other-api.example/", "https://third-api.example/"])
case("reject-other-key", "ES384", signer=new_key("ES384"),
     why="signed by another key with the same kid")
case("reject-pem-as-secret", "RS256", spoil=pem_as_secret,
     why="HS256 with the bytes of public_pem as the secret")
case("reject-flipped-bit", "RS256", spoil=flip_bit, why="one bit of the signature changed")

out = pathlib.Path(__file__).with_name("joserfc.jsonl")
out.write_text("\n".join(lines) + "\n", encoding="utf-8")
