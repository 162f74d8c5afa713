export { countDown } from "@kindred/operations";
