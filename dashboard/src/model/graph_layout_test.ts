import { expect, test } from "vitest";
import { drawGraph, pathOf, spread, type Drawing } from "./graph_layout";

const kMeasures = { nodeWidth: 100, nodeHeight: 20, gapX: 50, gapY: 10 };
const draw = (nodes: string[], edges: [string, string][]) => drawGraph(nodes, edges, kMeasures);
const placeOf = (drawing: Drawing, id: string) => drawing.nodes.find((n) => n.id === id)!;

test("what runs later stands further right", () => {
  const edges: [string, string][] = [
    ["a", "b"],
    ["b", "c"],
    ["a", "c"],
    ["x", "c"],
  ];
  const drawing = draw(["c", "b", "a", "x"], edges);
  for (const [from, to] of edges) expect(placeOf(drawing, from).x).toBeLessThan(placeOf(drawing, to).x);
  // A node without parents stands right before its child, not at the far left.
  expect(placeOf(drawing, "x").layer).toBe(1);
  expect(drawing.lines).toHaveLength(4);
});

test("nodes never lie over each other, whatever the graph", () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  for (let round = 0; round < 60; ++round) {
    const count = 2 + random(30);
    const nodes = Array.from({ length: count }, (_, i) => `n${i}`);
    const edges = Array.from({ length: random(count * 2) }, (): [string, string] => [
      `n${random(count)}`,
      `n${random(count)}`,
    ]);
    const drawing = draw(nodes, edges);
    expect(drawing.nodes).toHaveLength(count);
    for (const a of drawing.nodes) {
      expect(a.x + kMeasures.nodeWidth).toBeLessThanOrEqual(drawing.width);
      expect(a.y + kMeasures.nodeHeight / 2).toBeLessThanOrEqual(drawing.height + 1e-6);
      expect(a.y).toBeGreaterThanOrEqual(kMeasures.nodeHeight / 2 - 1e-6);
      for (const b of drawing.nodes)
        if (a !== b && a.x === b.x)
          expect(Math.abs(a.y - b.y)).toBeGreaterThanOrEqual(kMeasures.nodeHeight + kMeasures.gapY - 1e-6);
    }
    for (const line of drawing.lines) {
      const [from, to] = [placeOf(drawing, line.from), placeOf(drawing, line.to)];
      expect(line.points[0]).toEqual([from.x + kMeasures.nodeWidth, from.y]);
      expect(line.points.at(-1)).toEqual([to.x, to.y]);
    }
  }
});

test("circles, unknown parents and jobs that wait for themselves are drawn as far as they make sense", () => {
  const drawing = draw(
    ["a", "b"],
    [
      ["a", "b"],
      ["b", "a"],
      ["a", "a"],
      ["gone", "b"],
    ],
  );
  expect(drawing.nodes).toHaveLength(2);
  expect(drawing.lines).toHaveLength(1);
});

test("edges that need not cross do not", () => {
  const drawing = draw(
    ["a", "b", "c", "d"],
    [
      ["a", "d"],
      ["b", "c"],
      ["a", "c"],
    ],
  );
  const order = (id: string) => placeOf(drawing, id).order;
  expect((order("a") - order("b")) * (order("d") - order("c"))).toBeGreaterThan(0);
});

test("a chain is a straight line", () => {
  const drawing = draw(
    ["a", "b", "c"],
    [
      ["a", "b"],
      ["b", "c"],
    ],
  );
  expect(new Set(drawing.nodes.map((n) => n.y)).size).toBe(1);
  expect(pathOf(drawing.lines[0]!)).toMatch(/^M\d+ \d+H\d+$/);
});

test("a chain of thousands is no trouble", () => {
  const nodes = Array.from({ length: 5000 }, (_, i) => `j${i}`);
  const drawing = draw(
    nodes,
    nodes.slice(1).map((id, i): [string, string] => [`j${i}`, id]),
  );
  expect(placeOf(drawing, "j4999").layer).toBe(4999);
});

test("places are kept apart and as near to the wishes as that allows", () => {
  expect(spread([0, 5, 9])).toEqual([0, 5, 9]);
  expect(spread([3, 3, 3])).toEqual([2, 3, 4]);
  expect(spread([5, 0])).toEqual([2, 3]);
  expect(spread([])).toEqual([]);
});

test("nothing to draw is an empty drawing", () => {
  expect(draw([], [])).toMatchObject({ width: 0, height: 0, nodes: [], lines: [] });
});
