import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { WaitingLine } from "./waiting-line.ts";

test("is in the order of tickets, whoever comes and goes", () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), tokens: fc.nat(100) }),
    fc.record({ kind: fc.constant("again" as const), ticket: fc.nat(50) }),
    fc.record({ kind: fc.constant("first" as const) }),
    fc.record({ kind: fc.constant("leave" as const), which: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const line = new WaitingLine<{ ticket: number; tokens: number }>();
      let model: { ticket: number; tokens: number }[] = [];
      let next = 51;
      for (const step of actions) {
        if (step.kind === "first" || step.kind === "leave") {
          const place = step.kind === "first" ? model[0] : model[step.which];
          if (place === undefined) continue;
          expect(line.remove(place)).toBe(true);
          expect(line.remove(place)).toBe(false);
          model = model.filter((other) => other !== place);
        } else {
          const place =
            step.kind === "add"
              ? { ticket: next++, tokens: step.tokens }
              : { ticket: step.ticket, tokens: 1 };
          line.add(place);
          model = [...model, place].toSorted((a, b) => a.ticket - b.ticket);
        }
        expect(line.first).toBe(model[0]);
        expect(line.length).toBe(model.length);
        expect(line.tokens).toBe(model.reduce((sum, { tokens }) => sum + tokens, 0));
      }
      expect(line.clear()).toEqual(model);
      expect(line.length).toBe(0);
      expect(line.tokens).toBe(0);
    }),
  );
});
