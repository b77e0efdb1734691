// Runs a program that would outlive the command that started it: it ends with this script's stdin.

import { spawn } from "node:child_process";

const [program, ...rest] = process.argv.slice(2);
const child = spawn(program, rest, { stdio: ["ignore", "inherit", "inherit"] });
child.on("error", () => process.exit(1));
child.on("exit", (code) => process.exit(code ?? 1));
process.stdin.on("end", () => child.kill()).resume();
