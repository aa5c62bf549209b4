// A growing file, followed at its end.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { downloadUrl, read } from "../api/files";
import { messageOf } from "../api/http";
import { formatBytes } from "../format";
import {
  kEmptyLog,
  openTail,
  readBackward,
  readForward,
  visibleLines,
  type LogState,
} from "../model/log_window";
import { Icon } from "./icons";
import { Failure, Loading } from "./states";

/** How often a file that may still grow is looked at. */
const kPollMs = 1000;
/** Within this distance of the end the view counts as being at the end. */
const kNearEnd = 24;

interface Props {
  agentId: string;
  path: string;
  /** False when nothing writes to the file any more: it is read to its end once. */
  growing: boolean;
}

function useLog({ agentId, path, growing }: Props, following: boolean) {
  const [log, setLog] = useState<LogState | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  // The same as `log`, for code that runs between renders.
  const current = useRef<LogState | null>(null);
  const busy = useRef(false);
  const reader = useMemo(
    () => (offset: number, length: number) => read(agentId, path, offset, length),
    [agentId, path],
  );
  const put = (next: LogState | null) => {
    current.current = next;
    setLog(next);
  };

  useEffect(() => {
    put(null);
    setError(null);
  }, [reader, attempt]);

  const active = following || log === null;
  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout>;
    // Reads to the end, page by page; says whether to look again later.
    const step = async (): Promise<boolean> => {
      if (busy.current || document.visibilityState === "hidden") return true;
      busy.current = true;
      try {
        for (let more = true; more;) {
          const before = current.current;
          const next = before ? await readForward(before, reader) : await openTail(reader);
          if (stopped) return false;
          put(next);
          more = next.end < next.size && next.end !== before?.end;
        }
        setError(null);
        return growing;
      } catch (e) {
        if (!stopped) setError(e);
        return true;
      } finally {
        busy.current = false;
      }
    };
    const loop = async () => {
      if ((await step()) && !stopped) timer = setTimeout(() => void loop(), kPollMs);
    };
    if (active) void loop();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [reader, growing, active, attempt]);

  const earlier = async () => {
    if (!current.current || busy.current) return;
    busy.current = true;
    try {
      put(await readBackward(current.current, reader));
    } catch (e) {
      setError(e);
    } finally {
      busy.current = false;
    }
  };
  return { log, error, earlier, retry: () => setAttempt((n) => n + 1) };
}

export function LogViewer(props: Props) {
  const [following, setFollowing] = useState(true);
  const [wrap, setWrap] = useState(true);
  const [find, setFind] = useState("");
  const { log, error, earlier, retry } = useLog(props, following);
  const box = useRef<HTMLDivElement>(null);
  const heightBefore = useRef(0);

  const lines = useMemo(() => visibleLines(log ?? kEmptyLog), [log]);
  const needle = find.toLowerCase();
  const shown = needle ? lines.filter((line) => line.toLowerCase().includes(needle)) : lines;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    if (following) element.scrollTop = element.scrollHeight;
    else if (heightBefore.current) element.scrollTop += element.scrollHeight - heightBefore.current;
    heightBefore.current = 0;
  }, [log, following, find, wrap]);

  const onScroll = () => {
    const element = box.current!;
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < kNearEnd;
    if (atEnd !== following && !find) setFollowing(atEnd);
  };

  const loadEarlier = () => {
    heightBefore.current = box.current?.scrollHeight ?? 0;
    setFollowing(false);
    void earlier();
  };

  if (!log) {
    return (
      <div className="panel">
        {error ? (
          <Failure title="The file cannot be read" error={error} onRetry={retry} />
        ) : (
          <Loading rows={8} />
        )}
      </div>
    );
  }
  return (
    <section className="log" aria-label={`Contents of ${props.path}`}>
      <div className="log-bar">
        <label className="filter small">
          <Icon name="search" size={14} />
          <input
            type="search"
            placeholder="Find in what is loaded"
            aria-label="Find in log"
            value={find}
            onChange={(e) => setFind(e.target.value)}
            data-filter
          />
        </label>
        <span className="dim log-size">
          {find
            ? `${shown.length} of ${lines.length} lines`
            : `${formatBytes(log.end - log.start)} of ${formatBytes(log.size)}`}
        </span>
        <span className="spacer" />
        {error !== null && (
          <span className="bad-text" role="alert" title={messageOf(error)}>
            <Icon name="warning" size={14} /> cannot read on
          </span>
        )}
        <button className="button small" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
          Wrap
        </button>
        <button
          className={`button small${following ? " on" : ""}`}
          aria-pressed={following}
          onClick={() => setFollowing(!following)}
        >
          {props.growing ? (
            <>
              <i className={`dot ${following ? "pulse" : ""}`} /> Follow
            </>
          ) : (
            "End"
          )}
        </button>
        <a className="button small" href={downloadUrl(props.agentId, props.path)} download>
          <Icon name="download" size={14} /> <span className="label">Download</span>
        </a>
      </div>
      <div
        ref={box}
        className={`log-text${wrap ? " wrap" : ""}`}
        tabIndex={0}
        role="log"
        aria-live="off"
        onScroll={onScroll}
        data-log
      >
        {log.start > 0 && (
          <button className="more" onClick={loadEarlier}>
            Load earlier lines: {formatBytes(log.start)} before this
          </button>
        )}
        {log.restarts > 0 && <div className="dim">— the file became shorter and was read anew —</div>}
        {shown.length === 0 && (
          <div className="dim">
            {find ? "No line contains this." : props.growing ? "Nothing written yet." : "The file is empty."}
          </div>
        )}
        <pre>{shown.join("\n")}</pre>
      </div>
    </section>
  );
}
