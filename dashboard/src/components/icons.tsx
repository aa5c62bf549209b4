// Line icons, 16 pixels, drawn with the colour of the text around them.

const kPaths = {
  overview: "M2.5 2.5h4.5v6H2.5zM9 2.5h4.5v3H9zM9 7.5h4.5v6H9zM2.5 10.5H7v3H2.5z",
  services: "M8 1.8 13.8 5v6L8 14.2 2.2 11V5zM2.2 5 8 8.2 13.8 5M8 8.2v6",
  tasks: "M2.5 4h1.5M2.5 8h1.5M2.5 12h1.5M6.5 4h7M6.5 8h7M6.5 12h7",
  nodes: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
  deployments: "M8 13.5V5M4.5 8 8 4.5 11.5 8M3 2.2h10",
  jobs: "M8 2.2a5.8 5.8 0 1 1 0 11.6A5.8 5.8 0 0 1 8 2.2zM8 4.8V8l2.4 1.6",
  catalog: "M2.5 2.5h4.5v4.5H2.5zM9 9h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM11.2 2v5M8.7 4.5h5",
  network:
    "M8 2.2v3.3M5.8 2.2h4.4v3.3H5.8zM1.8 10.5h4.4v3.3H1.8zM9.8 10.5h4.4v3.3H9.8zM4 10.5V8h8v2.5M8 5.5V8",
  graph: "M2 6h4v4H2zM10 2h4v4h-4zM10 10h4v4h-4zM6 8h2M10 4H8v8h2",
  user: "M8 2.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM2.8 13.8c.5-2.6 2.4-3.8 5.2-3.8s4.7 1.2 5.2 3.8",
  exit: "M9.5 2.5H3.5v11h6M6.5 8h7M11 5.2 13.8 8 11 10.8",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  stop: "M4 4h8v8H4z",
  frameworks: "M8 2.2 13.5 5 8 7.8 2.5 5zM2.5 8 8 10.8 13.5 8M2.5 11 8 13.8l5.5-2.8",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3l3.2 3.2",
  plus: "M8 3v10M3 8h10",
  restart: "M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.5 8z",
  trash: "M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.6 9h5.8l.6-9",
  edit: "m3 13 .6-2.8 7-7a1.2 1.2 0 0 1 1.7 0l.5.5a1.2 1.2 0 0 1 0 1.7l-7 7z",
  scale: "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5 9 7M2.5 13.5 7 9",
  close: "m4 4 8 8M12 4l-8 8",
  chevron: "m6 3.5 4.5 4.5L6 12.5",
  external: "M6.5 3.5h-3v9h9v-3M9 2.8h4.2V7M13 3 7.5 8.5",
  download: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.3h10",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  folder: "M2 4h4l1.5 1.5H14V13H2z",
  sun: "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  moon: "M13 9.6A5.5 5.5 0 1 1 6.4 3a4.4 4.4 0 0 0 6.6 6.6z",
  help: "M6 6a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.8h.01M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8z",
  warning: "M8 2.2 14.2 13H1.8zM8 6.2v3.3M8 11.3h.01",
  down: "M8 3v10M4 9l4 4 4-4",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
} as const;

export type IconName = keyof typeof kPaths;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={kPaths[name]} />
    </svg>
  );
}
