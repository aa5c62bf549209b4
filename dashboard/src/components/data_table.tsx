// The table of the dashboard: sorting by each column, rows that are links, and no more rows in the page than needed.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { formatNumber } from "../format";
import { navigate } from "../router";
import { Icon } from "./icons";

export interface Column<T> {
  key: string;
  title: string;
  render: (row: T) => React.ReactNode;
  /** What to sort by; a column without it cannot be sorted. */
  sort?: (row: T) => string | number;
  /** Numbers stand at the right. */
  numeric?: boolean;
  /** 1 is always shown, 2 not on phones, 3 only on wide screens. */
  level?: 1 | 2 | 3;
  width?: string;
}

interface Sorting {
  key: string;
  down: boolean;
}

/** The chosen order of each table, kept while the page is open. */
const remembered = new Map<string, Sorting>();
const kPageRows = 200;
const kWindowMargin = 20;
const collator = new Intl.Collator("en", { numeric: true });

function compare(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number")
    return (Number.isNaN(a) ? -1 : a) - (Number.isNaN(b) ? -1 : b);
  return collator.compare(String(a), String(b));
}

interface Window {
  first: number;
  last: number;
}

/** Which rows are in sight, with some more on both sides, so that the next one can always take the focus. */
function useWindow(count: number, on: boolean) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [height, setHeight] = useState(0);
  const [window_, setWindow] = useState<Window>({ first: 0, last: kWindowMargin * 2 });
  useLayoutEffect(() => {
    if (!on) return;
    const row = body.current?.querySelector<HTMLElement>("tr[data-row]");
    if (row && Math.abs(row.offsetHeight - height) > 0.5) setHeight(row.offsetHeight);
  });
  useEffect(() => {
    if (!on || height === 0) return;
    let frame = 0;
    const look = () => {
      frame = 0;
      const top = -(body.current?.getBoundingClientRect().top ?? 0);
      const step = kWindowMargin / 2;
      const first = Math.max(0, Math.floor((top / height - kWindowMargin) / step) * step);
      const last = Math.ceil(((top + innerHeight) / height + kWindowMargin) / step) * step;
      setWindow((w) => (w.first === first && w.last === last ? w : { first, last }));
    };
    const later = () => (frame ||= requestAnimationFrame(look));
    look();
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", later);
      removeEventListener("resize", later);
    };
  }, [on, height, count]);
  const last = Math.min(count, window_.last);
  const first = Math.min(window_.first, Math.max(0, last - kWindowMargin));
  return on ? { body, first, last, height } : { body, first: 0, last: count, height: 0 };
}

/** Stands for the rows that are not in the page. */
function Spacer({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr className="spacer-row" aria-hidden="true" style={{ height }}>
      <td colSpan={columns} />
    </tr>
  );
}

interface Props<T> {
  name: string;
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  rowHref?: (row: T) => string;
  initialSort: Sorting;
  empty: React.ReactNode;
  /** Only the rows in sight are in the page, for lists of thousands; all rows must be of one height. */
  windowed?: boolean;
}

export function DataTable<T>({
  name,
  label,
  columns,
  rows,
  rowKey,
  rowHref,
  initialSort,
  empty,
  windowed = false,
}: Props<T>) {
  const [sorting, setSorting] = useState<Sorting>(remembered.get(name) ?? initialSort);
  const [shown, setShown] = useState(kPageRows);

  const sorted = useMemo(() => {
    const sort = columns.find((c) => c.key === sorting.key)?.sort;
    if (!sort) return rows;
    const keyed = rows.map((row) => ({ row, by: sort(row), key: rowKey(row) }));
    keyed.sort((a, b) => (sorting.down ? -1 : 1) * compare(a.by, b.by) || compare(a.key, b.key));
    return keyed.map((entry) => entry.row);
    // Columns and rowKey are written inline by the pages; the rows and the order are what changes.
  }, [rows, sorting]);

  const window_ = useWindow(sorted.length, windowed && sorted.length > kPageRows);
  const few = !windowed && sorted.length > shown;

  const choose = (column: Column<T>) => {
    const down = sorting.key === column.key ? !sorting.down : Boolean(column.numeric);
    remembered.set(name, { key: column.key, down });
    setSorting({ key: column.key, down });
  };

  const open = (event: React.MouseEvent, row: T) => {
    const target = event.target as HTMLElement;
    if (!rowHref || target.closest("a, button, input, select") || String(getSelection()) !== "") return;
    if (event.metaKey || event.ctrlKey) window.open(rowHref(row), "_blank");
    else navigate(rowHref(row));
  };

  if (rows.length === 0) return <div className="panel">{empty}</div>;
  return (
    <div className="panel table-panel">
      <table aria-label={label} data-table={name} aria-rowcount={windowed ? sorted.length + 1 : undefined}>
        <thead>
          <tr>
            {columns.map((column) => {
              const active = sorting.key === column.key;
              return (
                <th
                  key={column.key}
                  scope="col"
                  className={`level-${column.level ?? 1}${column.numeric ? " numeric" : ""}`}
                  style={column.width ? { width: column.width } : undefined}
                  aria-sort={active ? (sorting.down ? "descending" : "ascending") : undefined}
                >
                  {column.sort ? (
                    <button className="sort" onClick={() => choose(column)}>
                      {column.title}
                      <span className="arrow" aria-hidden="true">
                        {active ? (sorting.down ? "↓" : "↑") : ""}
                      </span>
                    </button>
                  ) : (
                    <span className="sort">{column.title}</span>
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody ref={window_.body}>
          <Spacer height={window_.first * window_.height} columns={columns.length} />
          {sorted.slice(window_.first, few ? shown : window_.last).map((row, i) => (
            <tr
              key={rowKey(row)}
              data-row={rowKey(row)}
              aria-rowindex={windowed ? window_.first + i + 2 : undefined}
              className={rowHref ? "link" : ""}
              onClick={(e) => open(e, row)}
            >
              {columns.map((column) => (
                <td
                  key={column.key}
                  className={`level-${column.level ?? 1}${column.numeric ? " numeric" : ""}`}
                >
                  {column.render(row)}
                </td>
              ))}
            </tr>
          ))}
          <Spacer height={(sorted.length - window_.last) * window_.height} columns={columns.length} />
        </tbody>
      </table>
      {few && (
        <button className="more" onClick={() => setShown(shown + kPageRows * 5)}>
          <Icon name="down" size={14} /> Show more: {formatNumber(shown)} of {formatNumber(sorted.length)}{" "}
          rows
        </button>
      )}
    </div>
  );
}

/** The first cell of a row: the link that the row stands for. */
export function RowLink({
  href,
  children,
  title,
}: {
  href: string;
  children: React.ReactNode;
  title?: string;
}) {
  return (
    <a className="row-link" data-row-link href={href} title={title}>
      {children}
    </a>
  );
}
