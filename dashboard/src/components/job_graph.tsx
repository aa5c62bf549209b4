// Which job runs after which, drawn from the left to the right. Every job is a link; the arrow keys walk along the lines.

import { useMemo, useRef } from "react";
import { drawGraph, pathOf, type Drawing } from "../model/graph_layout";
import { toneOfJob, wordOfJob, type JobView } from "../model/jobs";
import { jobHref } from "../router";
import { shortenMiddle } from "../format";
import { Empty } from "./states";

const kMeasures = { nodeWidth: 176, nodeHeight: 44, gapX: 56, gapY: 12 };
const kPad = 12;
const kMaxNodes = 400;
const kMaxName = 21;

/** The node to go to with an arrow key. */
function neighbour(drawing: Drawing, id: string, key: string): string | undefined {
  const at = drawing.nodes.find((n) => n.id === id)!;
  if (key === "ArrowRight") return drawing.lines.find((l) => l.from === id)?.to;
  if (key === "ArrowLeft") return drawing.lines.find((l) => l.to === id)?.from;
  const down = key === "ArrowDown";
  return drawing.nodes
    .filter((n) => n.x === at.x && (down ? n.y > at.y : n.y < at.y))
    .sort((a, b) => (down ? a.y - b.y : b.y - a.y))[0]?.id;
}

export function JobGraph({ jobs, marked = "" }: { jobs: readonly JobView[]; marked?: string }) {
  const box = useRef<HTMLDivElement>(null);
  const shown = jobs.length > kMaxNodes ? jobs.slice(0, kMaxNodes) : jobs;
  // The drawing depends on names and parents alone; states only colour it.
  const shape = shown.map((j) => `${j.name}<${j.parents.join(",")}`).join(" ");
  const drawing = useMemo(
    () =>
      drawGraph(
        shown.map((j) => j.name),
        shown.flatMap((j) => j.parents.map((p) => [p, j.name] as const)),
        kMeasures,
      ),
    [shape],
  );
  const views = useMemo(() => new Map(shown.map((j) => [j.name, j])), [shown]);
  if (shown.length === 0)
    return (
      <div className="panel">
        <Empty title="Nothing depends on anything here">
          A job with parents runs after them; it appears here together with them.
        </Empty>
      </div>
    );

  const onKey = (event: React.KeyboardEvent) => {
    const id = (event.target as Element).closest("[data-node]")?.getAttribute("data-node");
    if (!id || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const next = neighbour(drawing, id, event.key);
    if (!next) return;
    const node = box.current?.querySelector<SVGAElement>(`[data-node="${CSS.escape(next)}"]`);
    node?.focus();
    node?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  return (
    <div className="panel graph" ref={box} onKeyDown={onKey} data-graph>
      {jobs.length > kMaxNodes && (
        <p className="dim graph-note">
          The first {kMaxNodes} of {jobs.length} jobs. Filter by name to see others with all they depend on.
        </p>
      )}
      <svg
        width={drawing.width + kPad * 2}
        height={drawing.height + kPad * 2}
        viewBox={`${-kPad} ${-kPad} ${drawing.width + kPad * 2} ${drawing.height + kPad * 2}`}
        role="group"
        aria-label="Dependencies of jobs"
      >
        <defs>
          <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M1 1 7 4 1 7" />
          </marker>
        </defs>
        {drawing.lines.map((line) => (
          <path
            key={`${line.from} ${line.to}`}
            className={`graph-line${line.from === marked || line.to === marked ? " on" : ""}`}
            d={pathOf(line)}
            markerEnd="url(#tip)"
          />
        ))}
        {drawing.nodes.map(({ id, x, y }) => {
          const job = views.get(id)!;
          const word = wordOfJob(job);
          return (
            <g key={id} transform={`translate(${x} ${y - kMeasures.nodeHeight / 2})`}>
              <a
                href={jobHref(id)}
                className={`graph-node ${toneOfJob(job)}${id === marked ? " on" : ""}`}
                data-node={id}
                aria-label={`${id}, ${word}${job.parents.length ? `, after ${job.parents.join(", ")}` : ""}`}
              >
                <title>{id}</title>
                <rect width={kMeasures.nodeWidth} height={kMeasures.nodeHeight} rx="8" />
                <circle cx="15" cy="15.5" r="4" />
                <text x="27" y="19.5" className="graph-name">
                  {shortenMiddle(id, kMaxName)}
                </text>
                <text x="27" y="35" className="graph-word">
                  {word}
                </text>
              </a>
            </g>
          );
        })}
      </svg>
    </div>
  );
}
