// Paths of nodes: "/codis3/lab/topom". They become file names and keys, so a name that would lead
// elsewhere is refused here, once, for all three services.

import { OperatorError } from "../lib/operator-error.ts";

/** Throws unless `path` is absolute, without empty names, "." and "..". */
export function checkPath(path: string): void {
  const [root, ...names] = path.split("/");
  const isRight = names.length > 0 && names.every((name) => !/^\.{0,2}$/.test(name));
  if (root === "" && isRight && !/[\u0000-\u001f\u007f]/.test(path)) return;
  throw new OperatorError(
    `'${path}' is no path of the coordinator; it must look like /codis3/name`,
  );
}

/** "/a/b" for "/a/b/c"; "" for "/a". */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** The paths above it, the shortest first. */
export function ancestorsOf(path: string): string[] {
  const names = parentOf(path).split("/").slice(1);
  return names.map((_, i) => `/${names.slice(0, i + 1).join("/")}`).filter((each) => each !== "/");
}
