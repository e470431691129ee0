// Reads a configuration with npm's yamljs, whose author wrote webMUSHRA's reader too.
//
//   node yamljs.mjs FOLDER < file.yaml
//
// Fetches it into FOLDER, where it is not yet; ends with status 77 where npm cannot. Prints JSON.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const NAME = "yamljs-0.3.0.tgz";
const SHA512 = "C/FsVVhht4iPQYXOInoxUM/1ELSf9EsgKH34FofQOp6hwCPrW4vG4w5++TED3xRUo8gD7l0P1J1dLlDYzODsTQ==";

const folder = resolve(process.argv[2]);
if (!existsSync(join(folder, "package"))) {
  const env = { ...process.env, npm_config_cache: join(folder, "cache"), npm_config_fetch_retries: "1" };
  try {
    execFileSync("npm", ["pack", "yamljs@0.3.0"], { cwd: folder, env, stdio: "pipe", timeout: 120_000 });
  } catch (error) {
    console.error(`npm cannot fetch yamljs: ${error.stderr ?? error.message}`);
    process.exit(77);
  }
  const found = createHash("sha512").update(readFileSync(join(folder, NAME))).digest("base64");
  if (found !== SHA512) throw new Error(`${NAME} has the sha512 ${found}`);
  execFileSync("tar", ["xzf", NAME], { cwd: folder });
}
const { parse } = createRequire(import.meta.url)(join(folder, "package"));
process.stdout.write(JSON.stringify(parse(readFileSync(0, "utf8"))));
