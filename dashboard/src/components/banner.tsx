// Says when what is shown may be old, why, and when the next attempt is made.

import { kernelStream, marathonStream } from "../api/live";
import type { LiveStream } from "../api/live_stream";
import { useStore } from "../api/store";
import { formatTime } from "../format";
import { useNow } from "../hooks";
import { Icon } from "./icons";

function Banner({ streams, who }: { streams: readonly LiveStream[]; who: string }) {
  const status = useStore(streams[0]!.status);
  const now = useNow(500);
  const seconds = Math.max(0, Math.ceil((status.retryAt - now) / 1000));
  const what = status.unauthorized
    ? `Not signed in: ${who} does not talk to us.`
    : status.liveUntil
      ? `Connection to ${who} lost.`
      : `No connection to ${who}.`;
  return (
    <div className="banner" role="alert" data-banner={who}>
      <Icon name="warning" />
      <span className="banner-text">
        <strong>{what}</strong> {status.reason}
        {status.liveUntil > 0 && (
          <span className="dim"> Shown as of {formatTime(status.liveUntil).slice(11)}.</span>
        )}
      </span>
      <span className="dim banner-wait">{seconds > 0 ? `Next attempt in ${seconds} s` : "Connecting…"}</span>
      <button className="button small" onClick={() => streams.forEach((s) => s.retryNow())}>
        Retry now
      </button>
    </div>
  );
}

/** One banner for each stream that is lost, or a single one when both are. */
export function Banners() {
  const kernelLost = useStore(kernelStream.status).phase === "lost";
  const marathonLost = useStore(marathonStream.status).phase === "lost";
  return (
    <div className="banners">
      {kernelLost && marathonLost && <Banner streams={[kernelStream, marathonStream]} who="the cluster" />}
      {kernelLost && !marathonLost && <Banner streams={[kernelStream]} who="the kernel" />}
      {!kernelLost && marathonLost && <Banner streams={[marathonStream]} who="Marathon" />}
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
    <span
      className={`live ${phase}`}
      data-live={phase}
      title={phase === "live" ? "Both event streams are open" : word}
    >
      <i className="dot" />
      <span>{word}</span>
    </span>
  );
}
