// The head of a page: where one is, what it is called, what one can do here.

export interface Crumb {
  label: string;
  href: string;
}

interface Props {
  title: React.ReactNode;
  crumbs?: readonly Crumb[];
  badge?: React.ReactNode;
  children?: React.ReactNode;
}

export function PageHead({ title, crumbs = [], badge, children }: Props) {
  return (
    <header className="page-head">
      <div className="page-title">
        {crumbs.length > 0 && (
          <nav className="crumbs" aria-label="Breadcrumb">
            {crumbs.map((c) => (
              <a key={c.href} href={c.href}>
                {c.label}
              </a>
            ))}
          </nav>
        )}
        <h1>
          {title} {badge}
        </h1>
      </div>
      {children && <div className="page-actions">{children}</div>}
    </header>
  );
}

/** Names and values, two columns. Entries without a value are left out. */
export function Facts({ facts }: { facts: readonly (readonly [string, React.ReactNode])[] }) {
  const shown = facts.filter(
    ([, value]) => value !== "" && value !== null && value !== undefined && value !== false,
  );
  return (
    <dl className="facts">
      {shown.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
