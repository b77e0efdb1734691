# joserfc, asked by `cargo xtask interop`: README.md.

import json
from importlib.metadata import version

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey, import_key

from lines import serve

CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}
ALGORITHMS = [alg for alg in jws.JWSRegistry.algorithms if alg != "none"]
OTHER = ECKey.generate_key("P-256", {"kid": "another"})


def new_key(alg):
    parameters = {"alg": alg, "kid": f"joserfc-{alg}"}
    if alg.startswith("HS"):
        return OctKey.generate_key(int(alg[2:]), parameters)
    if alg in CURVES:
        return ECKey.generate_key(CURVES[alg], parameters)
    if alg.startswith("Ed"):
        return OKPKey.generate_key("Ed25519", parameters)
    return RSAKey.generate_key(2048, parameters)


def sign(alg, form, payload):
    key = new_key(alg)
    header = {"alg": alg, "kid": key.kid}
    algorithms = [alg, "ES256"]
    if form == "compact":
        token = jwt.encode({**header, "typ": "at+jwt"}, json.loads(payload), key, algorithms=algorithms)
    elif form == "flattened":
        token = json.dumps(jws.serialize_json({"protected": header}, payload, key, algorithms))
    elif form == "general":
        members = [{"protected": header}, {"protected": {"alg": "ES256"}, "header": {"kid": "another"}}]
        token = json.dumps(jws.serialize_json(members, payload, KeySet([key, OTHER]), algorithms))
    else:
        if form == "unencoded":
            header = {**header, "b64": False, "crit": ["b64"]}
        token = jws.detach_content(jws.serialize_compact(header, payload, key, algorithms))
    return {"jwk": key.as_dict(private=alg.startswith("HS")), "token": token}


def verify(alg, form, jwk, other, token, iss, aud, payload):
    key = import_key(jwk)
    try:
        if form == "compact":
            claims = jwt.decode(token, key, algorithms=[alg]).claims
            claim = {"iss": {"essential": True, "value": iss}, "aud": {"essential": True, "value": aud}}
            jwt.JWTClaimsRegistry(**claim).validate(claims)
            return {"payload": json.dumps(claims)}
        if form == "flattened":
            verified = jws.deserialize_json(json.loads(token), key, [alg])
        elif form == "general":
            # It wants every signature to verify.
            verified = jws.deserialize_json(json.loads(token), KeySet([key, import_key(other)]), [alg, "ES256"])
        else:
            verified = jws.deserialize_compact(token, key, [alg], payload=payload)
    except JoseError as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    return {"payload": verified.payload.decode()}


def hello():
    forms = ["compact", "flattened", "general", "detached", "unencoded"]
    return {"library": f"joserfc {version('joserfc')}", "algorithms": ALGORITHMS, "forms": forms}


serve(hello=hello, sign=sign, verify=verify)
