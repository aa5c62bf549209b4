// For a part of the system that does not run here, or does not answer.

import { ApiError, messageOf } from "../api/http";
import type { PollStatus } from "../api/poll";
import { Icon } from "./icons";
import { Empty, Failure, Loading } from "./states";

interface Props {
  /** What is missing, as a name: "Chronos, the scheduler of jobs". */
  what: string;
  /** What a person can do about it. */
  remedy: React.ReactNode;
}

/** Says plainly that this cluster runs without a part. */
export function Absent({ what, remedy }: Props) {
  return (
    <div className="panel" data-absent>
      <Empty title={`${what} is not part of this cluster`}>{remedy}</Empty>
    </div>
  );
}

/** The place of a list that could not be read (yet): loading, absent, or failed with a way to try again. */
export function NotLive({
  status,
  onRetry,
  label,
  ...absent
}: Props & { status: PollStatus; onRetry: () => void; label: string }) {
  if (status.phase === "absent") return <Absent {...absent} />;
  return (
    <div className="panel">
      {status.phase === "lost" ? (
        <Failure title={`${absent.what} does not answer`} error={status.error} onRetry={onRetry} />
      ) : (
        <Loading label={label} />
      )}
    </div>
  );
}

/** Above a list that was read before and cannot be read again now. */
export function Stale({ status, who, onRetry }: { status: PollStatus; who: string; onRetry: () => void }) {
  if (status.phase === "live" || status.phase === "loading") return null;
  return (
    <div className="notice bad" role="alert" data-stale>
      <Icon name="warning" />
      <div>
        <strong>{who} does not answer:</strong> {messageOf(status.error)} What is shown may be old.{" "}
        <button className="text-button" onClick={onRetry}>
          Try again
        </button>
      </div>
    </div>
  );
}

export const isAbsent = (error: unknown) => error instanceof ApiError && error.isAbsent;
