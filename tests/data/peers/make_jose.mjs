// Makes jose.jsonl beside this file: keys and tokens from the npm package
// jose 6.2.17, on Node 20 or newer. The keys are new at each run and are for
// tests only.
//
// In a scratch folder outside the repository (the package is looked for in
// the folder the script is started from):
//   npm install jose@6.2.17
//   node path/to/make_jose.mjs

import { KeyObject, createHmac, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const here = createRequire(join(process.cwd(), "make_jose.mjs"));
const jose = await import(pathToFileURL(here.resolve("jose")));

const LIBRARY = `jose ${here("jose/package.json").version}`;
const ISS = "https://issuer.example/";
const AUD = "https://api.example/";
const NOW = 1900000100;

const lines = [];

const claimsFor = (id, aud) => ({
  iss: ISS,
  sub: "user-17",
  aud,
  exp: 1900003600,
  nbf: 1900000000,
  iat: 1900000000,
  jti: id,
  scope: "orders:read orders:write",
  name: "Zoë Ångström 李雷 🦊",
  tenant: { id: 42, città: "Łódź", plan: { tier: "gold", quota: 12.5 } },
});

const b64 = (bytes) => Buffer.from(bytes).toString("base64url");
const unb64 = (text) => Buffer.from(text, "base64url");

async function newKey(alg) {
  const pair = await jose.generateKeyPair(alg, { extractable: true });
  const jwk = await jose.exportJWK(pair.publicKey);
  const kid = await jose.calculateJwkThumbprint(jwk);
  const more = { kid, alg, use: "sig" };
  return {
    kid,
    private: pair.privateKey,
    publicJwk: { ...jwk, ...more },
    privateJwk: { ...(await jose.exportJWK(pair.privateKey)), ...more },
    publicPem: await jose.exportSPKI(pair.publicKey),
    privatePem: await jose.exportPKCS8(pair.privateKey),
  };
}

function write(id, token, claims, keyFields, why) {
  const header = jose.decodeProtectedHeader(token);
  lines.push(JSON.stringify({
    id,
    library: LIBRARY,
    expect: why ? "reject" : "accept",
    why,
    alg: header.alg,
    typ: header.typ ?? null,
    kid: header.kid ?? null,
    iss: ISS,
    aud: AUD,
    now: NOW,
    claims,
    ...keyFields,
    token,
  }));
}

async function hmacCase(alg, size, aud) {
  const id = `jose/${alg}`;
  const secret = new Uint8Array(randomBytes(size));
  const claims = claimsFor(id, aud);
  const token = await new jose.SignJWT(claims).setProtectedHeader({ alg }).sign(secret);
  write(id, token, claims, { secret_base64url: b64(secret) });
}

async function testCase(name, alg, o = {}) {
  const id = `jose/${name}`;
  const key = await newKey(alg);
  const claims = { ...claimsFor(id, o.aud ?? AUD), ...o.change };
  const header = { alg };
  if (o.withKid ?? true) header.kid = key.kid;
  if (o.typ) header.typ = o.typ;
  const signer = o.signer ?? key;
  let token = await new jose.SignJWT(claims).setProtectedHeader(header).sign(signer.private);
  if (o.spoil) token = o.spoil(token, key);
  const others = [];
  for (const a of o.moreKeys ?? []) others.push((await newKey(a)).publicJwk);
  const fields = {
    public_jwks: { keys: [...others, key.publicJwk] },
    public_pem: key.publicPem,
    private_pem: key.privatePem,
    private_jwk: key.privateJwk,
  };
  if (o.legacyPem) {
    const type = alg.startsWith("ES") ? "sec1" : "pkcs1";
    fields[`private_${type}_pem`] = KeyObject.from(key.private).export({ type, format: "pem" });
  }
  write(id, token, claims, fields, o.why);
}

function flipBit(token) {
  const [head, body, sig] = token.split(".");
  const bytes = unb64(sig);
  bytes[bytes.length >> 1] ^= 1;
  return `${head}.${body}.${b64(bytes)}`;
}

function pemAsSecret(token, key) {
  const header = { ...jose.decodeProtectedHeader(token), alg: "HS256" };
  const signed = `${b64(JSON.stringify(header))}.${token.split(".")[1]}`;
  return `${signed}.${createHmac("sha256", key.publicPem).update(signed).digest("base64url")}`;
}

const LIST = [AUD, "https://other-api.example/"];

await hmacCase("HS256", 32, AUD);
await hmacCase("HS384", 48, LIST);
await hmacCase("HS512", 64, AUD);
await testCase("RS256", "RS256", { aud: LIST, legacyPem: true });
await testCase("RS384", "RS384");
await testCase("RS512", "RS512", { aud: LIST });
await testCase("PS256", "PS256");
await testCase("PS384", "PS384", { aud: LIST });
await testCase("PS512", "PS512");
await testCase("ES256", "ES256", { aud: LIST, legacyPem: true });
await testCase("ES384", "ES384", { legacyPem: true });
await testCase("EdDSA", "EdDSA", { aud: LIST, typ: "JWT" });
await testCase("Ed25519", "Ed25519");
await testCase("EdDSA-fractional-times", "EdDSA", {
  change: { iat: 1900000000.25, exp: 1900003600.5 },
});
await testCase("PS256-at-jwt", "PS256", { typ: "at+jwt" });
await testCase("ES384-no-kid", "ES384", { withKid: false });
await testCase("RS256-three-keys", "RS256", { moreKeys: ["RS256", "EdDSA"], typ: "JWT" });
await testCase("reject-expired", "RS256", {
  change: { iat: 1899992800, nbf: 1899992800, exp: 1899996400 },
  why: "expired at now",
});
await testCase("reject-audience", "PS384", {
  aud: "https://api.example",
  why: "wrong audience (no final slash)",
});
await testCase("reject-other-key", "EdDSA", {
  signer: await newKey("EdDSA"),
  why: "signed by another key with the same kid",
});
await testCase("reject-pem-as-secret", "RS256", {
  spoil: pemAsSecret,
  why: "HS256 with the bytes of public_pem as the secret",
});
await testCase("reject-flipped-bit", "EdDSA", {
  spoil: flipBit,
  why: "one bit of the signature changed",
});

writeFileSync(new URL("jose.jsonl", import.meta.url), lines.join("\n") + "\n");
