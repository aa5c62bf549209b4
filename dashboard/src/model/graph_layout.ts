// Draws a graph of dependencies in layers: what runs first at the left, few crossings, straight lines where possible.

export interface Placed {
  id: string;
  layer: number;
  /** Position within its layer. */
  order: number;
  /** Of the middle of its left edge. */
  x: number;
  y: number;
}

export interface Line {
  from: string;
  to: string;
  /** From the right edge of `from`, past the places where it crosses layers, to the left edge of `to`. */
  points: readonly (readonly [number, number])[];
}

export interface Drawing {
  width: number;
  height: number;
  nodes: readonly Placed[];
  lines: readonly Line[];
}

export interface Measures {
  nodeWidth: number;
  nodeHeight: number;
  gapX: number;
  gapY: number;
}

/** A place in a layer: a node, or where a long edge passes. */
interface Cell {
  id: string;
  real: boolean;
  layer: number;
  order: number;
  y: number;
  left: Cell[];
  right: Cell[];
}

type Edge = readonly [string, string];

/** Edges between known nodes, each once, without those that would close a circle. */
function soundEdges(nodes: readonly string[], edges: readonly Edge[]): Edge[] {
  const known = new Set(nodes);
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) {
    if (!known.has(from) || !known.has(to) || from === to) continue;
    next.set(from, (next.get(from) ?? new Set()).add(to));
  }
  const state = new Map<string, "open" | "done">();
  const kept: Edge[] = [];
  // Depth first without recursion: a chain may be thousands long.
  for (const start of nodes) {
    if (state.has(start)) continue;
    state.set(start, "open");
    const stack = [{ id: start, rest: [...(next.get(start) ?? [])] }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const to = top.rest.pop();
      if (to === undefined) {
        state.set(top.id, "done");
        stack.pop();
      } else if (state.get(to) !== "open") {
        kept.push([top.id, to]);
        if (!state.has(to)) {
          state.set(to, "open");
          stack.push({ id: to, rest: [...(next.get(to) ?? [])] });
        }
      }
    }
  }
  return kept;
}

/** Layer of each node: one after its last parent; a node without parents stands right before its first child. */
function layersOf(nodes: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const waiting = new Map(nodes.map((id) => [id, 0]));
  const next = new Map<string, string[]>(nodes.map((id) => [id, []]));
  for (const [from, to] of edges) {
    waiting.set(to, waiting.get(to)! + 1);
    next.get(from)!.push(to);
  }
  const roots = nodes.filter((id) => waiting.get(id) === 0);
  const layer = new Map(nodes.map((id) => [id, 0]));
  const open = [...roots];
  for (let at = 0; at < open.length; ++at) {
    for (const to of next.get(open[at]!)!) {
      layer.set(to, Math.max(layer.get(to)!, layer.get(open[at]!)! + 1));
      waiting.set(to, waiting.get(to)! - 1);
      if (waiting.get(to) === 0) open.push(to);
    }
  }
  for (const id of roots) {
    const children = next.get(id)!.map((to) => layer.get(to)!);
    if (children.length) layer.set(id, Math.min(...children) - 1);
  }
  return layer;
}

function components(nodes: readonly string[], edges: readonly Edge[]): string[][] {
  const near = new Map<string, string[]>(nodes.map((id) => [id, []]));
  for (const [from, to] of edges) {
    near.get(from)!.push(to);
    near.get(to)!.push(from);
  }
  const seen = new Set<string>();
  const found: string[][] = [];
  for (const start of nodes) {
    if (seen.has(start)) continue;
    seen.add(start);
    const part = [start];
    for (let at = 0; at < part.length; ++at)
      for (const id of near.get(part[at]!)!)
        if (!seen.has(id)) {
          seen.add(id);
          part.push(id);
        }
    found.push(part);
  }
  return found.sort((a, b) => b.length - a.length);
}

/** Nodes and the passing places of long edges, by layer. */
function cellsOf(
  part: readonly string[],
  edges: readonly Edge[],
  layer: ReadonlyMap<string, number>,
): Cell[][] {
  const first = Math.min(...part.map((id) => layer.get(id)!));
  const layers: Cell[][] = [];
  const put = (id: string, real: boolean, at: number): Cell => {
    const cell: Cell = { id, real, layer: at, order: 0, y: 0, left: [], right: [] };
    (layers[at] ??= []).push(cell);
    return cell;
  };
  const cells = new Map(part.map((id) => [id, put(id, true, layer.get(id)! - first)]));
  for (const [from, to] of edges) {
    const end = cells.get(to)!;
    let at = cells.get(from)!;
    while (at.layer + 1 < end.layer) {
      const passing = put(`${from}\n${to}`, false, at.layer + 1);
      at.right.push(passing);
      passing.left.push(at);
      at = passing;
    }
    at.right.push(end);
    end.left.push(at);
  }
  layers.forEach((cellsHere) => cellsHere.forEach((cell, i) => (cell.order = i)));
  return layers;
}

const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

function crossings(layers: readonly Cell[][]): number {
  let count = 0;
  for (const cells of layers) {
    const ends = cells.flatMap((cell) => cell.right.map((to) => [cell.order, to.order] as const));
    for (let i = 0; i < ends.length; ++i)
      for (let j = i + 1; j < ends.length; ++j)
        if ((ends[i]![0] - ends[j]![0]) * (ends[i]![1] - ends[j]![1]) < 0) count += 1;
  }
  return count;
}

const kSweeps = 12;
/** Counting crossings is quadratic; beyond this many edges the last sweep is taken for the best. */
const kMaxCounted = 600;

/** Orders the cells of each layer by the middle of their neighbours, forth and back; keeps the best order seen. */
function untangle(layers: Cell[][]): void {
  const edges = layers.flat().reduce((sum, cell) => sum + cell.right.length, 0);
  const counted = edges <= kMaxCounted;
  let best = counted ? crossings(layers) : Infinity;
  let kept = layers.map((cells) => [...cells]);
  for (let sweep = 0; sweep < kSweeps && best > 0; ++sweep) {
    const forth = sweep % 2 === 0;
    for (const cells of forth ? layers : [...layers].reverse()) {
      const wish = new Map(
        cells.map((cell) => {
          const near = forth ? cell.left : cell.right;
          return [cell, near.length ? mean(near.map((n) => n.order)) : cell.order];
        }),
      );
      cells.sort((a, b) => wish.get(a)! - wish.get(b)! || a.order - b.order);
      cells.forEach((cell, i) => (cell.order = i));
    }
    const now = counted ? crossings(layers) : 0;
    if (!counted || now < best) {
      best = counted ? now : Infinity;
      kept = layers.map((cells) => [...cells]);
    }
  }
  kept.forEach((cells, i) => {
    layers[i] = cells;
    cells.forEach((cell, order) => (cell.order = order));
  });
}

/** The places nearest to the wished ones that keep the order and a distance of 1: pools of neighbours move together. */
export function spread(wishes: readonly number[]): number[] {
  const pools: { sum: number; count: number }[] = [];
  wishes.forEach((wish, i) => {
    pools.push({ sum: wish - i, count: 1 });
    for (;;) {
      const last = pools.at(-1)!;
      const before = pools.at(-2);
      if (!before || before.sum / before.count <= last.sum / last.count) break;
      pools.pop();
      before.sum += last.sum;
      before.count += last.count;
    }
  });
  return pools
    .flatMap(({ sum, count }) => Array.from({ length: count }, () => sum / count))
    .map((y, i) => y + i);
}

/** Pulls each cell to the middle of its neighbours, in rows. */
function straighten(layers: readonly Cell[][]): void {
  for (const cells of layers) cells.forEach((cell, i) => (cell.y = i));
  for (let pass = 0; pass < 8; ++pass) {
    const forth = pass % 2 === 0;
    for (const cells of forth ? layers : [...layers].reverse()) {
      const wishes = cells.map((cell) => {
        const near = forth ? cell.left : cell.right;
        return near.length ? mean(near.map((n) => n.y)) : cell.y;
      });
      spread(wishes).forEach((y, i) => (cells[i]!.y = y));
    }
  }
}

/** Where every node stands and how the edges run. Unknown ends and circles are passed over. */
export function drawGraph(nodes: readonly string[], edges: readonly Edge[], m: Measures): Drawing {
  const sound = soundEdges(nodes, edges);
  const layer = layersOf(nodes, sound);
  const partOf = new Map<string, number>();
  const parts = components(nodes, sound);
  parts.forEach((part, i) => part.forEach((id) => partOf.set(id, i)));
  const edgesOf: Edge[][] = parts.map(() => []);
  for (const edge of sound) edgesOf[partOf.get(edge[0])!]!.push(edge);

  const placed: Placed[] = [];
  const lines: Line[] = [];
  const rowHeight = m.nodeHeight + m.gapY;
  let top = 0;
  let width = 0;
  parts.forEach((part, i) => {
    const layers = cellsOf(part, edgesOf[i]!, layer);
    untangle(layers);
    straighten(layers);
    const all = layers.flat();
    const least = Math.min(...all.map((cell) => cell.y));
    const xOf = (cell: Cell) => cell.layer * (m.nodeWidth + m.gapX);
    const yOf = (cell: Cell) => top + (cell.y - least) * rowHeight + m.nodeHeight / 2;
    for (const cell of all) {
      if (!cell.real) continue;
      placed.push({ id: cell.id, layer: cell.layer, order: cell.order, x: xOf(cell), y: yOf(cell) });
      for (const start of cell.right) {
        const points: [number, number][] = [[xOf(cell) + m.nodeWidth, yOf(cell)]];
        let at = start;
        for (; !at.real; at = at.right[0]!) points.push([xOf(at), yOf(at)], [xOf(at) + m.nodeWidth, yOf(at)]);
        points.push([xOf(at), yOf(at)]);
        lines.push({ from: cell.id, to: at.id, points });
      }
    }
    width = Math.max(width, layers.length * (m.nodeWidth + m.gapX) - m.gapX);
    top += (Math.max(...all.map((cell) => cell.y)) - least + 1) * rowHeight + m.gapY;
  });
  return { width, height: Math.max(0, top - m.gapY * 2), nodes: placed, lines };
}

/** An SVG path through the points of a line, level where it leaves and arrives. */
export function pathOf({ points }: Line): string {
  const [first, ...rest] = points;
  let path = `M${first![0]} ${first![1]}`;
  let [x, y] = first!;
  for (const [toX, toY] of rest) {
    const bend = (toX - x) / 2;
    path += y === toY ? `H${toX}` : `C${x + bend} ${y} ${toX - bend} ${toY} ${toX} ${toY}`;
    [x, y] = [toX, toY];
  }
  return path;
}
