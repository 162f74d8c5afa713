export { toOperationMessage, type OperationContract } from "./operation-message.ts";
export { operationRpcs } from "./operation-rpcs.ts";
