export { pageTokens, type PageTokens, type Place, type PositionOf } from "./page-tokens.ts";
