# Makes pyjwt.jsonl beside this file: keys and tokens from PyJWT 2.15.1
# (cryptography 50.0.2). The keys are new at each run and are for tests only.
#
# In a scratch folder outside the repository:
#   python3 -m venv venv
#   venv/bin/pip install 'PyJWT[crypto]==2.15.1' cryptography==50.0.2
#   venv/bin/python path/to/make_pyjwt.py

import base64
import hashlib
import hmac
import json
import pathlib
import secrets

import jwt
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

LIBRARY = f"PyJWT {jwt.__version__}"
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


def new_key(alg, bits=2048):
    if alg[:2] in ("RS", "PS"):
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}[alg])


def to_jwk(alg, key, kid):
    kinds = {"RS": RSAAlgorithm, "PS": RSAAlgorithm, "ES": ECAlgorithm, "Ed": OKPAlgorithm}
    jwk = kinds[alg[:2]].to_jwk(key, as_dict=True)
    return {**jwk, "kid": kid, "alg": alg, "use": "sig"}


def private_pem(key, form=ser.PrivateFormat.PKCS8):
    return key.private_bytes(ser.Encoding.PEM, form, ser.NoEncryption()).decode()


def public_pem(key):
    spki = ser.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(ser.Encoding.PEM, spki).decode()


def write(line_id, token, claims, key_fields, why=None):
    header = jwt.get_unverified_header(token)
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
    line_id = f"pyjwt/{alg}"
    secret = secrets.token_bytes(size)
    claims = claims_for(line_id, aud)
    token = jwt.encode(claims, secret, algorithm=alg)
    write(line_id, token, claims, {"secret_base64url": b64(secret)})


def case(name, alg, *, aud=AUD, change=None, typ=None, with_kid=True, bits=2048,
         more_keys=(), legacy_pem=False, signer=None, spoil=None, why=None):
    line_id = f"pyjwt/{name}"
    kid = f"pyjwt-{name}".lower()
    key = new_key(alg, bits)
    claims = {**claims_for(line_id, aud), **(change or {})}
    headers = {}
    if with_kid:
        headers["kid"] = kid
    if typ:
        headers["typ"] = typ
    token = jwt.encode(claims, signer or key, algorithm=alg, headers=headers)
    if spoil:
        token = spoil(token, key)
    others = [to_jwk(a, new_key(a).public_key(), f"{kid}-other-{i}")
              for i, a in enumerate(more_keys, 1)]
    fields = {
        "public_jwks": {"keys": [*others, to_jwk(alg, key.public_key(), kid)]},
        "public_pem": public_pem(key),
        "private_pem": private_pem(key),
        "private_jwk": to_jwk(alg, key, kid),
    }
    if legacy_pem:
        legacy = "private_sec1_pem" if alg.startswith("ES") else "private_pkcs1_pem"
        fields[legacy] = private_pem(key, ser.PrivateFormat.TraditionalOpenSSL)
    write(line_id, token, claims, fields, why)


def flip_bit(token, _key):
    head, body, sig = token.split(".")
    sig = bytearray(unb64(sig))
    sig[len(sig) // 2] ^= 1
    return f"{head}.{body}.{b64(bytes(sig))}"


def pem_as_secret(token, key):
    # By hand: PyJWT refuses a PEM as an HMAC secret.
    header = {**jwt.get_unverified_header(token), "alg": "HS256"}
    signed = b64(json.dumps(header).encode()) + "." + token.split(".")[1]
    mac = hmac.new(public_pem(key).encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{b64(mac.digest())}"


LIST = [AUD, "https://other-api.example/"]

hmac_case("HS256", 32, AUD)
hmac_case("HS384", 48, LIST)
hmac_case("HS512", 64, AUD)
case("RS256", "RS256", aud=LIST, legacy_pem=True)
case("RS384", "RS384")
case("RS512", "RS512", aud=LIST)
case("PS256", "PS256")
case("PS384", "PS384", aud=LIST)
case("PS512", "PS512")
case("ES256", "ES256", aud=LIST, legacy_pem=True)
case("ES384", "ES384", legacy_pem=True)
case("EdDSA", "EdDSA", aud=LIST)
case("RS256-3072", "RS256", bits=3072, legacy_pem=True)
case("PS256-fractional-times", "PS256",
     change={"iat": 1900000000.25, "exp": 1900003600.5})
case("ES256-at-jwt", "ES256", typ="at+jwt")
case("RS256-no-kid", "RS256", with_kid=False)
case("ES256-three-keys", "ES256", more_keys=("ES256", "RS256"))
case("reject-expired", "ES256", why="expired at now",
     change={"iat": 1899992800, "nbf": 1899992800, "exp": 1899996400})
case("reject-audience", "RS256", aud="https://other-api.example/", why="wrong audience")
case("reject-other-key", "PS256", signer=new_key("PS256"),
     why="signed by another key with the same kid")
case("reject-pem-as-secret", "RS256", spoil=pem_as_secret,
     why="HS256 with the bytes of public_pem as the secret")
case("reject-flipped-bit", "ES256", spoil=flip_bit, why="one bit of the signature changed")

out = pathlib.Path(__file__).with_name("pyjwt.jsonl")
out.write_text("\n".join(lines) + "\n", encoding="utf-8")
