// npm's jose, asked by `cargo xtask interop`: README.md.

import { load, serve, version } from "./lines.mjs";

const jose = await load("jose");

const CANDIDATES = [
  "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K",
  "EdDSA", "Ed25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87",
];
const keys = new Map();
const bytes = (text) => new TextEncoder().encode(text);
const ids = (alg) => ({ alg, kid: `jose-${alg}` });

// Fails where this jose, or this Node, has no such keys.
async function newKey(alg) {
  if (alg.startsWith("HS")) {
    const secret = await jose.generateSecret(alg, { extractable: true });
    return { sign: secret, jwk: { ...(await jose.exportJWK(secret)), ...ids(alg) } };
  }
  const { privateKey, publicKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { sign: privateKey, jwk: { ...(await jose.exportJWK(publicKey)), ...ids(alg), use: "sig" } };
}

for (const alg of CANDIDATES) {
  await newKey(alg).then((key) => keys.set(alg, key), () => {});
}

const SIGN = {
  compact: (alg, key, payload) =>
    new jose.SignJWT(JSON.parse(payload)).setProtectedHeader({ ...ids(alg), typ: "at+jwt" }).sign(key),
  flattened: async (alg, key, payload) =>
    JSON.stringify(await new jose.FlattenedSign(bytes(payload)).setProtectedHeader(ids(alg)).sign(key)),
  general: async (alg, key, payload) => {
    const other = keys.get("ES256").sign;
    const both = new jose.GeneralSign(bytes(payload)).addSignature(key).setProtectedHeader(ids(alg))
      .addSignature(other).setProtectedHeader({ alg: "ES256" }).setUnprotectedHeader({ kid: "another" });
    return JSON.stringify(await both.sign());
  },
  detached: async (alg, key, payload) => {
    const token = await new jose.CompactSign(bytes(payload)).setProtectedHeader(ids(alg)).sign(key);
    return token.replace(/\.[^.]*\./, "..");
  },
  unencoded: async (alg, key, payload) => {
    const header = { ...ids(alg), b64: false, crit: ["b64"] };
    const jws = await new jose.FlattenedSign(bytes(payload)).setProtectedHeader(header).sign(key);
    return `${jws.protected}..${jws.signature}`;
  },
};

const apart = (token, payload) => {
  const [head, , signature] = token.split(".");
  return { protected: head, payload, signature };
};
const VERIFY = {
  compact: async (token, key, { iss, aud, algorithms }) => {
    const { payload } = await jose.jwtVerify(token, key, { issuer: iss, audience: aud, algorithms });
    return bytes(JSON.stringify(payload));
  },
  flattened: async (token, key, o) => (await jose.flattenedVerify(JSON.parse(token), key, o)).payload,
  general: async (token, key, o) => (await jose.generalVerify(JSON.parse(token), key, o)).payload,
  detached: async (token, key, o) =>
    (await jose.flattenedVerify(apart(token, jose.base64url.encode(o.payload)), key, o)).payload,
  unencoded: async (token, key, o) => (await jose.flattenedVerify(apart(token, bytes(o.payload)), key, o)).payload,
};

await serve({
  hello: async () => ({
    library: `jose ${version("jose")}`,
    algorithms: [...keys.keys()],
    forms: Object.keys(SIGN),
  }),
  sign: async ({ alg, form, payload }) => {
    const { sign, jwk } = keys.get(alg);
    return { jwk, token: await SIGN[form](alg, sign, payload) };
  },
  verify: async ({ alg, form, jwk, token, iss, aud, payload }) => {
    const key = await jose.importJWK(jwk, alg);
    const options = { iss, aud, payload, algorithms: [alg] };
    return VERIFY[form](token, key, options).then(
      (payload) => ({ payload: new TextDecoder().decode(payload) }),
      (error) => ({ refused: String(error) }),
    );
  },
});
