// The mark of the dashboard.

export function Brand({ size = 24 }: { size?: number }) {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M9 10.5 16 7l7 3.5v11L16 25l-7-3.5zM9 10.5l7 3.5 7-3.5M16 14v11" />
    </svg>
  );
}
