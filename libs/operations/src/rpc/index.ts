export { toOperationMessage, type OperationContract, type OperationSubject } from "./operation-message.ts";
export { operationRpcs, type OperationRpcsDeps } from "./operation-rpcs.ts";
