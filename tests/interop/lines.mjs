// What the scripts here have in common: a question as a line of JSON on stdin, its answer as one on stdout, and an end
// when stdin ends, so that none of them outlives the command that started it.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// The packages are beside the working directory, not beside the scripts.
const here = createRequire(join(process.cwd(), "lines.mjs"));

export const load = (name) => import(pathToFileURL(here.resolve(name)));
export const version = (name) => here(`${name}/package.json`).version;

// `answers` has a function for each value of `do`.
export async function serve(answers) {
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    const answer = await answers[question.do](question).catch((error) => ({ error: String(error) }));
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  process.exit(0);
}
