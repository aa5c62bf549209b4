// The table of the dashboard: sorting by each column, rows that are links, and no more rows in the page than needed.

import { useMemo, useState } from "react";
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

function compare(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number")
    return (Number.isNaN(a) ? -1 : a) - (Number.isNaN(b) ? -1 : b);
  return String(a).localeCompare(String(b), "en", { numeric: true });
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
}

export function DataTable<T>({ name, label, columns, rows, rowKey, rowHref, initialSort, empty }: Props<T>) {
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
      <table aria-label={label} data-table={name}>
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
        <tbody>
          {sorted.slice(0, shown).map((row) => (
            <tr
              key={rowKey(row)}
              data-row={rowKey(row)}
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
        </tbody>
      </table>
      {sorted.length > shown && (
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
