import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";

/** Jest transformer: the same type stripping by which Node runs the sources, so that tests run what is shipped. */
export default {
  process(source) {
    return { code: stripTypeScriptTypes(source, { mode: "strip" }) };
  },
  getCacheKey(source, path, options) {
    return createHash("sha256")
      .update(`${process.version}\0${path}\0${options.configString}\0${source}`)
      .digest("hex");
  },
};
