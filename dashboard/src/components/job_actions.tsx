// Run, kill, edit, enable or disable, and delete one job.

import { useState } from "react";
import { deleteJob, getJob, killJob, runJob, saveJob } from "../api/chronos";
import { plural } from "../format";
import { definitionOfJob, type JobView } from "../model/jobs";
import { jobEditHref, navigate } from "../router";
import { ConfirmDialog } from "./dialog";
import { Icon } from "./icons";

type Asked = "run" | "kill" | "switch" | "delete" | null;

function RunDialog({ job, onClose }: { job: JobView; onClose: () => void }) {
  const [args, setArgs] = useState("");
  const disabled = job.job?.disabled ?? false;
  return (
    <ConfirmDialog
      title={`Run ${job.name} now`}
      action="Run now"
      ready={!disabled}
      run={() => runJob(job.name, args)}
      done={`${job.name} is started`}
      onClose={onClose}
    >
      {disabled ? (
        <p>A disabled job does not run. Enable it first.</p>
      ) : (
        <>
          <label className="field">
            <span>Arguments</span>
            <input
              value={args}
              onChange={(e) => setArgs(e.target.value)}
              placeholder="none"
              spellCheck={false}
              autoComplete="off"
              data-arguments
            />
            <span className="dim">Put behind the command, for this run only.</span>
          </label>
          <p className="dim">
            {job.running ? `It runs already (${plural(job.running, "run")}). ` : ""}The schedule stays as it
            is.
          </p>
        </>
      )}
    </ConfirmDialog>
  );
}

export function JobActions({ job, waiting }: { job: JobView; waiting: readonly string[] }) {
  const [asked, setAsked] = useState<Asked>(null);
  const { name } = job;
  const close = () => setAsked(null);
  const disabled = job.job?.disabled ?? job.state === "Disabled";
  return (
    <>
      <button className="button primary" onClick={() => setAsked("run")} data-action="run">
        <Icon name="play" size={14} /> Run now
      </button>
      {job.running > 0 && (
        <button className="button" onClick={() => setAsked("kill")} data-action="kill">
          <Icon name="stop" size={14} /> <span className="label">Kill</span>
        </button>
      )}
      <a className="button" href={jobEditHref(name)}>
        <Icon name="edit" size={14} /> <span className="label">Edit</span>
      </a>
      <button className="button" onClick={() => setAsked("switch")} data-action="switch">
        <Icon name={disabled ? "play" : "pause"} size={14} />{" "}
        <span className="label">{disabled ? "Enable" : "Disable"}</span>
      </button>
      <button className="button danger-text" onClick={() => setAsked("delete")} data-action="delete">
        <Icon name="trash" size={14} /> <span className="label">Delete</span>
      </button>

      {asked === "run" && <RunDialog job={job} onClose={close} />}
      {asked === "kill" && (
        <ConfirmDialog
          title={`Kill ${name}`}
          action="Kill"
          dangerous
          run={() => killJob(name)}
          done={`The runs of ${name} are being killed`}
          onClose={close}
        >
          <p>Kills {plural(job.running, "run")} without another attempt. The job stays.</p>
        </ConfirmDialog>
      )}
      {asked === "switch" && (
        <ConfirmDialog
          title={`${disabled ? "Enable" : "Disable"} ${name}`}
          action={disabled ? "Enable" : "Disable"}
          run={async () => saveJob({ ...definitionOfJob(await getJob(name)), disabled: !disabled })}
          done={`${name} is ${disabled ? "enabled" : "disabled"}`}
          onClose={close}
        >
          <p>
            {disabled
              ? "It runs again as its schedule or its parents say."
              : `It is not started any more${waiting.length ? `, nor are the ${plural(waiting.length, "job")} that wait for it` : ""}. What runs goes on.`}
          </p>
        </ConfirmDialog>
      )}
      {asked === "delete" && (
        <ConfirmDialog
          title={`Delete ${name}`}
          action="Delete"
          dangerous
          typeToConfirm={name}
          run={() => deleteJob(name)}
          done={`${name} is deleted`}
          onClose={close}
          onDone={() => navigate("#/jobs")}
        >
          <p>Kills its runs and forgets the job. This cannot be undone.</p>
          {waiting.length > 0 && (
            <p>
              {waiting.slice(0, 5).join(", ")}
              {waiting.length > 5 && ` and ${waiting.length - 5} more`} wait for it. They wait for its parents
              from then on, or take over its schedule.
            </p>
          )}
        </ConfirmDialog>
      )}
    </>
  );
}
