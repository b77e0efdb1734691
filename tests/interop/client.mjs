// A client of the identity provider, over HTTP as any other.

import { createHash, randomBytes } from "node:crypto";

const REDIRECT_URI = "https://client.example/callback";
const SECRET = "a secret for tests only";
// More redirects than a login and a consent have.
const MOST_STEPS = 20;

// What a provider knows of a client that acts for itself, and of one that acts for those who log in.
export const service = (id) => ({
  client_id: id,
  client_secret: SECRET,
  grant_types: ["client_credentials"],
  response_types: [],
  redirect_uris: [],
});
export const page = (id) => ({
  client_id: id,
  grant_types: ["authorization_code"],
  redirect_uris: [REDIRECT_URI],
  token_endpoint_auth_method: "none",
});

export function byCredentials(issuer, id, resource, scope) {
  const basic = Buffer.from([id, SECRET].map(encodeURIComponent).join(":")).toString("base64");
  return token(issuer, { grant_type: "client_credentials", resource, scope }, { Authorization: `Basic ${basic}` });
}

// Authorization code with PKCE (RFC 7636).
export async function byCode(issuer, id, resource, scope) {
  const verifier = randomBytes(32).toString("base64url");
  const question = {
    client_id: id,
    response_type: "code",
    redirect_uri: REDIRECT_URI,
    scope,
    resource,
    state: randomBytes(16).toString("base64url"),
    nonce: randomBytes(16).toString("base64url"),
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  };
  const answer = await logIn(`${issuer}/auth?${new URLSearchParams(question)}`);
  if (answer.get("state") !== question.state) throw new Error(`no answer to this login: ${answer}`);
  const code = answer.get("code");
  return token(issuer, {
    grant_type: "authorization_code",
    client_id: id,
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: verifier,
    resource,
  });
}

// What a browser and the one before it do: follow, fill in, send off, until the client is called back.
async function logIn(url) {
  const cookies = new Map();
  const send = async (url, form) => {
    const method = form ? "POST" : "GET";
    const headers = { Cookie: [...cookies].map((cookie) => cookie.join("=")).join("; ") };
    const answer = await fetch(url, { method, headers, body: form && new URLSearchParams(form), redirect: "manual" });
    for (const cookie of answer.headers.getSetCookie()) {
      cookies.set(...cookie.split(";")[0].split(/=(.*)/, 2));
    }
    return answer;
  };
  for (let step = 0; step < MOST_STEPS; step++) {
    let answer = await send(url);
    if (answer.status === 200) {
      const [, prompt] = /name="prompt" value="(\w+)"/.exec(await answer.text());
      answer = await send(url, prompt === "login" ? { prompt, login: "alice", password: "any" } : { prompt });
    }
    const next = answer.headers.get("Location");
    if (!next) throw new Error(`the login ends in ${answer.status}: ${await answer.text()}`);
    url = new URL(next, url);
    if (url.href.startsWith(REDIRECT_URI)) return url.searchParams;
  }
  throw new Error("the login never ends");
}

async function token(issuer, form, headers = {}) {
  const answer = await fetch(`${issuer}/token`, { method: "POST", headers, body: new URLSearchParams(form) });
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status}: ${JSON.stringify(body)}`);
  return { access_token: body.access_token, id_token: body.id_token };
}
