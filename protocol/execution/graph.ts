/** Decide from the call graph which functions are prepaid, which count depth, and how deep. */
import { mark } from '../assert.ts';
import type { Anatomy } from './anatomy.ts';
import { engineLimits, type InstrumentLimits } from './limits.ts';
import { limit } from './module.ts';
import type { Walk } from './slots.ts';

/** Fuel that a caller may pay for a small function ahead. */
export const prepaidMax = 64;

/** What the graph needs of a function. */
export type Summary = {
  /** Fuel of all its slots, without what prepaid callees add. */
  readonly fuel: number;
  /** Functions that it calls by name, each once. */
  readonly callees: readonly number[];
  /** The calls that its slots pay for; empty when its own fuel passes {@link prepaidMax}. */
  readonly paidCalls: readonly number[];
  readonly indirect: readonly number[];
  /** It has a repeated loop, or an instruction that is charged by an operand. */
  readonly open: boolean;
  readonly frame: number;
};

export type CallPlan = {
  /** Fuel of each prepaid function; -1 for the others. */
  readonly prepaid: Int32Array;
  /** Depth units that each counted function takes; 0 for the others. */
  readonly weights: Int32Array;
};

export function summarize(walk: Walk): Summary {
  const fuel = walk.slotCosts.reduce((sum, one) => sum + one, 0);
  const callees = new Set<number>();
  const paidCalls: number[] = [];
  for (let at = 0; at < walk.calls.length; at += 2) {
    const callee = walk.calls[at + 1]!;
    callees.add(callee);
    if (fuel <= prepaidMax && walk.slotPayers[walk.calls[at]!]! >= 0) paidCalls.push(callee);
  }
  const open = walk.loops || walk.bulk || walk.grows;
  const { frame } = walk;
  return { fuel, callees: [...callees], paidCalls, indirect: [...walk.indirect], open, frame };
}

/**
 * Orders the call graph and plans it. Nodes are the functions, and behind them one for each
 * function type: an indirect call leads to the node of its type, and from there to every function
 * of that type that escapes.
 */
export function planCalls(
  module: Anatomy,
  summaries: readonly Summary[],
  escaping: Uint8Array,
  limits: InstrumentLimits,
): CallPlan {
  const { functions, importedFunctions } = module;
  const edges = edgesOf(module, summaries, escaping);
  const prepaid = new Int32Array(functions.length).fill(-1);
  const weights = new Int32Array(functions.length);
  const chainDepth = Math.min(limits.chainDepth, engineLimits.chainDepth);
  /** Deepest chain of frames that starts here; 0 where the callee counts for itself. */
  const chains = new Float64Array(edges.length);
  for (const component of components(edges)) {
    const recursive = component.length > 1 || edges[component[0]!]!.includes(component[0]!);
    // Nodes of types first: the functions of a component look at them.
    component.sort((a, b) => b - a);
    for (const node of component) {
      let deepest = 0;
      for (const next of edges[node]!) deepest = Math.max(deepest, chains[next]!);
      const summary = summaries[node - importedFunctions];
      if (node >= functions.length || summary === undefined) {
        chains[node] = deepest;
        continue;
      }
      const depth = deepest + summary.frame;
      if (depth > chainDepth) {
        mark('X59');
        const { start } = module.bodies[node - importedFunctions]!;
        limit(start, `calls ${depth} units deep`, chainDepth);
      }
      if (recursive) {
        mark('X57');
        weights[node] = depth;
      } else {
        mark('X58');
        chains[node] = depth;
        prepaid[node] = prepay(summary, prepaid);
      }
    }
  }
  return { prepaid, weights };
}

/** Fuel of a function that its callers pay ahead; -1 if they do not. */
function prepay(
  { fuel, callees, paidCalls, indirect, open }: Summary,
  prepaid: Int32Array,
): number {
  if (open || fuel > prepaidMax || indirect.length > 0) return -1;
  if (callees.some((callee) => prepaid[callee]! < 0)) return -1;
  const total = paidCalls.reduce((sum, callee) => sum + prepaid[callee]!, fuel);
  return total <= prepaidMax ? total : -1;
}

function edgesOf(
  { types, functions, importedFunctions }: Anatomy,
  summaries: readonly Summary[],
  escaping: Uint8Array,
): number[][] {
  const nodes = new Map<string, number>();
  const edges: number[][] = functions.map(() => []);
  const nodeOf = (type: number): number => {
    const { key } = types[type]!;
    const known = nodes.get(key);
    if (known !== undefined) return known;
    nodes.set(key, edges.length);
    return edges.push([]) - 1;
  };
  summaries.forEach(({ callees, indirect }, index) => {
    const called = new Set([...callees, ...indirect.map(nodeOf)]);
    edges[importedFunctions + index] = [...called];
  });
  functions.forEach((type, index) => {
    const node = escaping[index] === 1 ? nodes.get(types[type]!.key) : undefined;
    if (node !== undefined) edges[node]!.push(index);
  });
  return edges;
}

/** Strongly connected components, callees before their callers (Tarjan, without recursion). */
function components(edges: readonly (readonly number[])[]): number[][] {
  const order = new Int32Array(edges.length).fill(-1);
  const low = new Int32Array(edges.length);
  const next = new Int32Array(edges.length);
  const waiting = new Uint8Array(edges.length);
  const open: number[] = [];
  const found: number[][] = [];
  let count = 0;
  for (let root = 0; root < edges.length; root++) {
    if (order[root]! >= 0) continue;
    const path = [root];
    while (path.length > 0) {
      const node = path[path.length - 1]!;
      if (order[node]! < 0) {
        order[node] = low[node] = count++;
        open.push(node);
        waiting[node] = 1;
      }
      const to = edges[node]![next[node]!++];
      if (to !== undefined) {
        if (order[to]! < 0) path.push(to);
        else if (waiting[to] === 1) low[node] = Math.min(low[node]!, order[to]!);
        continue;
      }
      path.pop();
      const caller = path[path.length - 1];
      if (caller !== undefined) low[caller] = Math.min(low[caller]!, low[node]!);
      if (low[node] !== order[node]) continue;
      const component = open.splice(open.lastIndexOf(node));
      for (const member of component) waiting[member] = 0;
      found.push(component);
    }
  }
  return found;
}
