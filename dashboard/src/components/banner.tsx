// Says when what is shown may be old, why, and when the next attempt is made.

import { kernelStream, marathonStream } from "../api/live";
import type { LiveStream, StreamStatus } from "../api/live_stream";
import { useStore } from "../api/store";
import { formatTime } from "../format";
import { useNow } from "../hooks";
import { Icon } from "./icons";

function lostText(status: StreamStatus, who: string): string {
  if (status.unauthorized) return `Not signed in: ${who} does not talk to us.`;
  return status.liveUntil ? `Connection to ${who} lost.` : `No connection to ${who}.`;
}

function StreamBanner({ stream, who }: { stream: LiveStream; who: string }) {
  const status = useStore(stream.status);
  const now = useNow(500);
  if (status.phase !== "lost") return null;
  const seconds = Math.max(0, Math.ceil((status.retryAt - now) / 1000));
  return (
    <div className="banner" role="alert" data-banner={who}>
      <Icon name="warning" />
      <span className="banner-text">
        <strong>{lostText(status, who)}</strong> {status.reason}
        {status.liveUntil > 0 && <span className="dim"> Shown as of {formatTime(status.liveUntil).slice(11)}.</span>}
      </span>
      <span className="dim banner-wait">{seconds > 0 ? `Next attempt in ${seconds} s` : "Connecting…"}</span>
      <button className="button small" onClick={() => stream.retryNow()}>Retry now</button>
    </div>
  );
}

export function Banners() {
  return (
    <div className="banners">
      <StreamBanner stream={kernelStream} who="the kernel" />
      <StreamBanner stream={marathonStream} who="Marathon" />
    </div>
  );
}

/** One dot for both streams. */
export function LiveDot() {
  const a = useStore(kernelStream.status).phase;
  const b = useStore(marathonStream.status).phase;
  const phase = a === "lost" || b === "lost" ? "lost" : a === "live" && b === "live" ? "live" : "connecting";
  const word = { live: "Live", lost: "Reconnecting", connecting: "Connecting" }[phase];
  return (
    <span className={`live ${phase}`} data-live={phase} title={phase === "live" ? "Both event streams are open" : word}>
      <i className="dot" />
      <span>{word}</span>
    </span>
  );
}
