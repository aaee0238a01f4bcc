import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/**
 * An image without a registry: this machine's own Node, Python and shell, with the libraries they need. Tests, examples
 * and benchmarks run in it. Its tag says what is in it, so it is made once per machine and version.
 */

/** Never in a program's way: tests of a standard library, other people's packages, caches. */
const LEFT_OUT = [
  "site-packages",
  "test",
  "tests",
  "idlelib",
  "tkinter",
  "ensurepip",
  "lib2to3",
  "__pycache__",
  "turtledemo",
];

/** @returns {string} the tag, whether or not the image is there */
export function baseImageTag() {
  const content = [process.version, process.arch, python().version, readFileSync(new URL(import.meta.url), "utf8")];
  return `heddle-base:${createHash("sha256").update(content.join()).digest("hex").slice(0, 12)}`;
}

/** Makes the image where it is missing. @returns {string} its tag */
export function ensureBaseImage() {
  const tag = baseImageTag();
  if (docker("image", "inspect", tag).status === 0) return tag;
  const folder = mkdtempSync(join(tmpdir(), "heddle-base-"));
  try {
    fill(folder);
    importFolder(folder, tag);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return tag;
}

/** @param {string} folder */
function fill(folder) {
  const { executable, library } = python();
  for (const empty of ["tmp", "proc", "sys", "dev", "etc", "usr/local/bin", "bin"]) {
    mkdirSync(join(folder, empty), { recursive: true });
  }
  chmodSync(join(folder, "tmp"), 0o1777);
  writeFileSync(join(folder, "etc/passwd"), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
  writeFileSync(join(folder, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
  const shell = realpathSync("/bin/sh");
  for (const program of [process.execPath, executable, shell]) addProgram(folder, program);
  cpSync(library, join(folder, library), { recursive: true, filter: (file) => !LEFT_OUT.includes(basename(file)) });
  const extensions = join(library, "lib-dynload");
  if (existsSync(extensions)) {
    for (const file of readdirSync(extensions)) addLibraries(folder, join(extensions, file));
  }
  link(folder, process.execPath, "usr/local/bin/node");
  link(folder, executable, "usr/local/bin/python3");
  link(folder, shell, "bin/sh");
}

/** @param {string} folder @param {string} target @param {string} name */
function link(folder, target, name) {
  if (!existsSync(join(folder, name))) symlinkSync(target, join(folder, name));
}

/** @param {string} folder @param {string} file */
function addProgram(folder, file) {
  const real = realpathSync(file);
  for (const name of new Set([file, real])) add(folder, real, name);
  addLibraries(folder, real);
}

/** At the paths under which the loader looks for them. @param {string} folder @param {string} file */
function addLibraries(folder, file) {
  const { stdout } = spawnSync("ldd", [file], { encoding: "utf8" });
  for (const [library] of (stdout ?? "").matchAll(/\/\S+(?= \(0x)/g)) add(folder, realpathSync(library), library);
}

/** @param {string} folder @param {string} source @param {string} name */
function add(folder, source, name) {
  const target = join(folder, name);
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  cpSync(source, target);
}

/** @param {string} folder @param {string} tag */
function importFolder(folder, tag) {
  const change = ["--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin"];
  const tar = spawnSync("tar", ["--owner=0", "--group=0", "-cf", `${folder}.tar`, "-C", folder, "."], {
    encoding: "utf8",
  });
  try {
    if (tar.status !== 0) throw new Error(`tar: ${tar.stderr}`);
    const { status, stderr } = docker("import", ...change, `${folder}.tar`, tag);
    if (status !== 0) throw new Error(`docker import: ${stderr}`);
  } finally {
    rmSync(`${folder}.tar`, { force: true });
  }
}

/** @param {string[]} args */
function docker(...args) {
  return spawnSync("docker", args, { encoding: "utf8" });
}

/** @returns {{ executable: string, library: string, version: string }} */
function python() {
  const script =
    "import os, sys; print(os.path.realpath(sys.executable), os.path.dirname(os.__file__), sys.version.split()[0])";
  const { stdout, status } = spawnSync("python3", ["-c", script], { encoding: "utf8" });
  const [executable, library, version] = (stdout ?? "").trim().split(" ");
  if (status !== 0 || !executable || !library || !version) throw new Error("the base image needs python3");
  return { executable, library, version };
}
