// Scale, restart, suspend, resume, edit and destroy one service.

import { useState } from "react";
import { refreshApp, refreshQueue } from "../api/live";
import { resetDelay } from "../api/marathon";
import { destroyService, restartService, scaleService } from "../api/services";
import { messageOf } from "../api/http";
import { plural } from "../format";
import type { ServiceView } from "../model/services";
import { navigate, serviceEditHref } from "../router";
import { ConfirmDialog } from "./dialog";
import { Icon } from "./icons";
import { toast } from "./toasts";

type Asked = "scale" | "restart" | "suspend" | "resume" | "destroy" | null;

function ScaleDialog({
  service,
  resume,
  onClose,
}: {
  service: ServiceView;
  resume: boolean;
  onClose: () => void;
}) {
  const { id, counts } = service;
  const [value, setValue] = useState(String(resume ? 1 : counts.wanted));
  const instances = Number(value);
  const valid = /^\d+$/.test(value.trim());
  const per = service.app;
  const difference = instances - counts.wanted;
  return (
    <ConfirmDialog
      title={resume ? `Resume ${id}` : `Scale ${id}`}
      action={resume ? "Resume" : "Scale"}
      ready={valid && (resume ? instances > 0 : difference !== 0)}
      run={(force) => scaleService(service.app, instances, force)}
      done={`${id} scales to ${plural(instances, "instance")}`}
      onClose={onClose}
      onDone={() => refreshApp(id)}
    >
      <label className="field">
        <span>Instances</span>
        <input
          type="number"
          min="0"
          step="1"
          value={value}
          onChange={(e) => setValue(e.target.value)}
          data-autofocus
          data-instances
        />
      </label>
      <p className="dim">
        {!valid
          ? "A whole number from 0."
          : difference === 0
            ? `${plural(counts.wanted, "instance")} now.`
            : `${difference > 0 ? "Starts" : "Stops"} ${plural(Math.abs(difference), "instance")}: ${difference > 0 ? "needs" : "frees"} ${Math.abs(difference) * (per.cpus ?? 0)} CPU and ${Math.abs(difference) * (per.mem ?? 0)} MiB.`}
      </p>
    </ConfirmDialog>
  );
}

export function ServiceActions({ service }: { service: ServiceView }) {
  const [asked, setAsked] = useState<Asked>(null);
  const { id, counts } = service;
  const close = () => setAsked(null);
  const suspended = counts.wanted === 0;

  const startNow = async () => {
    try {
      await resetDelay(id);
      refreshQueue();
      toast(`${id} starts without waiting`);
    } catch (error) {
      toast(messageOf(error));
    }
  };

  return (
    <>
      {service.status === "Delayed" && (
        <button className="button" onClick={() => void startNow()}>
          <Icon name="play" size={14} /> Start now
        </button>
      )}
      {!service.app.pod && (
        <a className="button" href={serviceEditHref(id)}>
          <Icon name="edit" size={14} /> <span className="label">Edit</span>
        </a>
      )}
      <button className="button" onClick={() => setAsked(suspended ? "resume" : "scale")} data-action="scale">
        <Icon name={suspended ? "play" : "scale"} size={14} />{" "}
        <span className="label">{suspended ? "Resume" : "Scale"}</span>
      </button>
      {!suspended && (
        <button className="button" onClick={() => setAsked("restart")} data-action="restart">
          <Icon name="restart" size={14} /> <span className="label">Restart</span>
        </button>
      )}
      {!suspended && (
        <button className="button" onClick={() => setAsked("suspend")} data-action="suspend">
          <Icon name="pause" size={14} /> <span className="label">Suspend</span>
        </button>
      )}
      <button className="button danger-text" onClick={() => setAsked("destroy")} data-action="destroy">
        <Icon name="trash" size={14} /> <span className="label">Destroy</span>
      </button>

      {(asked === "scale" || asked === "resume") && (
        <ScaleDialog service={service} resume={asked === "resume"} onClose={close} />
      )}
      {asked === "restart" && (
        <ConfirmDialog
          title={`Restart ${id}`}
          action="Restart"
          run={(force) => restartService(service.app, force)}
          done={`${id} restarts`}
          onClose={close}
          onDone={() => refreshApp(id)}
        >
          <p>
            Replaces {counts.wanted === 1 ? "its instance" : `all ${counts.wanted} instances`} as the upgrade
            strategy says.
          </p>
        </ConfirmDialog>
      )}
      {asked === "suspend" && (
        <ConfirmDialog
          title={`Suspend ${id}`}
          action="Suspend"
          run={(force) => scaleService(service.app, 0, force)}
          done={`${id} is being suspended`}
          onClose={close}
          onDone={() => refreshApp(id)}
        >
          <p>Stops {plural(counts.wanted, "instance")}. The definition stays; the service can be resumed.</p>
        </ConfirmDialog>
      )}
      {asked === "destroy" && (
        <ConfirmDialog
          title={`Destroy ${id}`}
          action="Destroy"
          dangerous
          typeToConfirm={id}
          run={() => destroyService(service.app)}
          done={`${id} is being destroyed`}
          onClose={close}
          onDone={() => navigate("#/services")}
        >
          <p>
            Stops {plural(counts.wanted, "instance")} and forgets the service with all its versions. This
            cannot be undone.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
