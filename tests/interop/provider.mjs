// An identity provider on loopback for `cargo xtask interop`: oidc-provider, with a client that gets tokens from it.
// The resource that a client asks for says how the access token is signed: https://api.example/ES256.

import { createServer } from "node:http";
import * as client from "./client.mjs";
import { load, serve, version } from "./lines.mjs";

const { Provider } = await load("oidc-provider");
const jose = await load("jose");

const AUDIENCE = "api";
const SCOPE = "posts:read";

let fetches = 0;
const server = createServer((request, response) => {
  if (request.url === "/jwks") fetches += 1;
  provider.callback()(request, response);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

// The first key that fits signs. That of RSA names no algorithm: it signs RS256 and PS256.
const generations = new Map();
let provider = await publish([1]);

async function newKeys(generation) {
  const keys = [];
  for (const alg of ["RS256", "ES256", "EdDSA"]) {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const jwk = await jose.exportJWK(privateKey);
    keys.push({ ...jwk, kid: `${jwk.kty}-${generation}`, use: "sig", ...(jwk.kty !== "RSA" && { alg }) });
  }
  return keys;
}

async function publish(wanted) {
  for (const generation of wanted) {
    if (!generations.has(generation)) generations.set(generation, await newKeys(generation));
  }
  return new Provider(issuer, {
    jwks: { keys: wanted.flatMap((generation) => generations.get(generation)) },
    // A client may have the name of the API: its ID tokens are then for the same audience as access tokens.
    clients: [client.page("web"), client.page(AUDIENCE), client.service("batch")],
    cookies: { keys: ["for tests only"] },
    scopes: ["openid", SCOPE],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: SCOPE,
          audience: resource.startsWith("https://api.example/") ? AUDIENCE : resource,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: resource.split("/").at(-1) } },
        }),
      },
    },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "PS256", "ES256", "EdDSA"] },
    extraTokenClaims: () => ({ permissions: [SCOPE] }),
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, permissions: [SCOPE] }) }),
    ttl: { AccessToken: 600, ClientCredentials: 600, IdToken: 600, Interaction: 600, Session: 600, Grant: 600 },
  });
}

await serve({
  hello: async () => ({ library: `oidc-provider ${version("oidc-provider")}`, issuer, audience: AUDIENCE }),
  // `generations`: those whose keys are published; the first signs.
  publish: async ({ generations }) => {
    provider = await publish(generations);
    return {};
  },
  // How often its keys have been fetched.
  fetches: async () => ({ fetches }),
  service: ({ resource }) => client.byCredentials(issuer, "batch", resource, SCOPE),
  page: ({ id, resource }) => client.byCode(issuer, id, resource, `openid ${SCOPE}`),
});
