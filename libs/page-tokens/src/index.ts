export { pageTokens } from "./page-tokens.ts";
