// Changes under way: which step they are at, and how to end them.

import { useState } from "react";
import { cancelDeployment } from "../api/marathon";
import type { Deployment } from "../api/marathon_types";
import { marathon, marathonStream } from "../api/live";
import { useStore } from "../api/store";
import { ConfirmDialog } from "../components/dialog";
import { PageHead } from "../components/page_head";
import { Empty, Failure, Loading } from "../components/states";
import { formatAgo, parseTime } from "../format";
import { useNow } from "../hooks";
import { serviceHref } from "../router";

const kWords: Record<string, string> = {
  StartApplication: "Start",
  StopApplication: "Stop",
  ScaleApplication: "Scale",
  RestartApplication: "Replace",
  StartPod: "Start pod",
  StopPod: "Stop pod",
  ScalePod: "Scale pod",
  RestartPod: "Replace pod",
};

export function DeploymentCard({ deployment }: { deployment: Deployment }) {
  const [asked, setAsked] = useState<"undo" | "stop" | null>(null);
  const now = useNow(5000);
  const current = deployment.currentStep ?? 0;
  const steps = deployment.steps ?? [];
  const total = deployment.totalSteps ?? steps.length;
  return (
    <section className="card deployment" data-deployment={deployment.id}>
      <header>
        <h2>
          {[...(deployment.affectedApps ?? []), ...(deployment.affectedPods ?? [])].map((app) => (
            <a key={app} href={serviceHref(app)}>
              {app}
            </a>
          ))}
        </h2>
        <span className="dim">
          step {current} of {total} · {formatAgo(parseTime(deployment.version), now)}
        </span>
        <span className="spacer" />
        <button className="button small" onClick={() => setAsked("undo")}>
          Roll back
        </button>
        <button className="button small danger-text" onClick={() => setAsked("stop")}>
          Stop
        </button>
      </header>
      <ol className="steps">
        {steps.map((step, i) => (
          <li key={i} className={i + 1 < current ? "done" : i + 1 === current ? "now" : ""}>
            {step.actions.map((a) => (
              <span key={a.action + (a.app ?? a.pod)}>
                {kWords[a.action] ?? a.action} {a.app ?? a.pod}
              </span>
            ))}
          </li>
        ))}
      </ol>
      {asked === "undo" && (
        <ConfirmDialog
          title="Roll back the deployment"
          action="Roll back"
          run={() => cancelDeployment(deployment.id, false)}
          done="A deployment that undoes it has started"
          onClose={() => setAsked(null)}
        >
          <p>
            Starts a new deployment that undoes this one. A service that this deployment creates is destroyed.
          </p>
        </ConfirmDialog>
      )}
      {asked === "stop" && (
        <ConfirmDialog
          title="Stop the deployment"
          action="Stop"
          dangerous
          run={() => cancelDeployment(deployment.id, true)}
          done="The deployment is stopped"
          onClose={() => setAsked(null)}
        >
          <p>Leaves everything as it is at this moment, old and new instances mixed.</p>
        </ConfirmDialog>
      )}
    </section>
  );
}

export function Deployments() {
  const state = useStore(marathon);
  const stream = useStore(marathonStream.status);
  const list = [...state.deployments.values()];
  return (
    <>
      <PageHead title="Deployments" />
      {!state.ready ? (
        <div className="panel">
          {stream.phase === "lost" ? (
            <Failure
              title="Marathon does not answer"
              error={new Error(stream.reason)}
              onRetry={() => marathonStream.retryNow()}
            />
          ) : (
            <Loading label="Loading deployments" />
          )}
        </div>
      ) : list.length === 0 ? (
        <div className="panel">
          <Empty title="No deployment is running">
            Every service is as its definition says, or waits for resources.
          </Empty>
        </div>
      ) : (
        <div className="stack">
          {list.map((d) => (
            <DeploymentCard key={d.id} deployment={d} />
          ))}
        </div>
      )}
    </>
  );
}
