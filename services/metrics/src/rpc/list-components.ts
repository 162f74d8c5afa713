import { listComponents, type ComponentStore } from "../domain/components.ts";
import { toSampleMessage } from "./sample-messages.ts";

export function listComponentsRpc(deps: { components: ComponentStore }) {
  return async () => {
    const found = await listComponents(deps);
    return { components: found.map((state) => ({ ...state, latest: toSampleMessage(state.latest) })) };
  };
}
