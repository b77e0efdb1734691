# PyJWT, asked by `cargo xtask interop`: README.md.

import json
import secrets

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

from lines import serve

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1(), "ES256K": ec.SECP256K1()}
KINDS = {"H": HMACAlgorithm, "R": RSAAlgorithm, "P": RSAAlgorithm, "E": ECAlgorithm}
# It writes ES512 as ES521, too.
ALGORITHMS = [alg for alg in jwt.algorithms.get_default_algorithms() if alg not in ("none", "ES521")]


def kind(alg):
    return OKPAlgorithm if alg == "EdDSA" else KINDS[alg[0]]


def new_key(alg):
    if alg.startswith("HS"):
        return secrets.token_bytes(int(alg[2:]) // 8)
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg])
    return ed25519.Ed25519PrivateKey.generate() if alg == "EdDSA" else RSA_KEY


def public_jwk(alg, key):
    public = key if isinstance(key, bytes) else key.public_key()
    return {**kind(alg).to_jwk(public, as_dict=True), "alg": alg, "kid": f"pyjwt-{alg}"}


def sign(alg, form, payload):
    key = new_key(alg)
    header = {"kid": f"pyjwt-{alg}"}
    if form == "compact":
        token = jwt.encode(json.loads(payload), key, algorithm=alg, headers={**header, "typ": "at+jwt"})
    else:
        token = jwt.PyJWS().encode(payload.encode(), key, algorithm=alg, headers={**header, "b64": False})
    return {"jwk": public_jwk(alg, key), "token": token}


def verify(alg, form, jwk, other, token, iss, aud, payload):
    key = kind(alg).from_jwk(jwk)
    try:
        if form == "compact":
            return {"payload": json.dumps(jwt.decode(token, key, algorithms=[alg], issuer=iss, audience=aud))}
        payload = jwt.PyJWS().decode(token, key, algorithms=[alg], detached_payload=payload.encode())
    except jwt.PyJWTError as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    return {"payload": payload.decode()}


def hello():
    # RFC 7797's detached payload is the only other form that it has.
    return {"library": f"PyJWT {jwt.__version__}", "algorithms": ALGORITHMS, "forms": ["compact", "unencoded"]}


serve(hello=hello, sign=sign, verify=verify)
