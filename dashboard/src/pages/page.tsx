// Route -> page.

import { Component, lazy, Suspense } from "react";
import { messageOf } from "../api/http";
import { Empty, Loading } from "../components/states";
import { useRoute } from "../router";
import { Deployments } from "./deployments";
import { Frameworks } from "./frameworks";
import { NodeDetail } from "./node_detail";
import { Nodes } from "./nodes";
import { Overview } from "./overview";
import { ServiceDetail } from "./service_detail";
import { ServiceForm } from "./service_form";
import { Services } from "./services";
import { TaskDetail } from "./task_detail";
import { Tasks } from "./tasks";

// Pages that one does not come to first are read when they are opened.
const Jobs = lazy(() => import("./jobs").then((m) => ({ default: m.Jobs })));
const JobDetail = lazy(() => import("./job_detail").then((m) => ({ default: m.JobDetail })));
const JobForm = lazy(() => import("./job_form").then((m) => ({ default: m.JobForm })));
const Catalog = lazy(() => import("./catalog").then((m) => ({ default: m.Catalog })));
const PackageDetail = lazy(() => import("./package_detail").then((m) => ({ default: m.PackageDetail })));
const PackageInstall = lazy(() => import("./package_install").then((m) => ({ default: m.PackageInstall })));
const PackageEdit = lazy(() => import("./package_install").then((m) => ({ default: m.PackageEdit })));
const Networking = lazy(() => import("./networking").then((m) => ({ default: m.Networking })));

function pageOf(path: readonly string[]): React.ReactNode {
  const [first = "", ...rest] = path;
  const id = `/${rest.join("/")}`;
  switch (first) {
    case "":
      return <Overview />;
    case "services":
      return rest[0] === "new" ? <ServiceForm key="new" /> : <Services />;
    case "service":
      return <ServiceDetail key={id} id={id} />;
    case "service-edit":
      return <ServiceForm key={id} id={id} />;
    case "tasks":
      return <Tasks />;
    case "task":
      return <TaskDetail key={id} frameworkId={rest[0] ?? ""} taskId={rest[1] ?? ""} />;
    case "nodes":
      return <Nodes />;
    case "node":
      return <NodeDetail key={id} id={rest.join("/")} />;
    case "deployments":
      return <Deployments />;
    case "jobs":
      return rest[0] === "new" ? <JobForm key="new" /> : <Jobs />;
    case "job":
      return <JobDetail key={id} name={rest.join("/")} />;
    case "job-edit":
      return <JobForm key={id} name={rest.join("/")} />;
    case "catalog":
      return <Catalog />;
    case "package":
      return rest[1] === "install" ? (
        <PackageInstall key={id} name={rest[0]!} />
      ) : (
        <PackageDetail key={id} name={rest[0] ?? ""} />
      );
    case "package-edit":
      return <PackageEdit key={id} appId={id} />;
    case "networking":
      return <Networking />;
    case "frameworks":
      return <Frameworks />;
    default:
      return (
        <Empty title="There is no such page">
          <a href="#/">Go to the overview</a>
        </Empty>
      );
  }
}

/** Keeps a fault of one page from taking the navigation with it. */
class Guard extends Component<{ children: React.ReactNode }, { error: unknown }> {
  override state = { error: null as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <Empty title="This page failed">
        {messageOf(this.state.error)}{" "}
        <button className="text-button" onClick={() => location.reload()}>
          Load it again
        </button>
      </Empty>
    );
  }
}

export function Page() {
  const { path } = useRoute();
  return (
    <Guard key={path.join("/")}>
      <Suspense
        fallback={
          <div className="panel">
            <Loading />
          </div>
        }
      >
        {pageOf(path)}
      </Suspense>
    </Guard>
  );
}
