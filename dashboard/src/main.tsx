// The dashboard of a DC/OS cluster. Read README.md for the picture, api/live.ts for where the data comes from.

import { createRoot } from "react-dom/client";
import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/components.css";
import { startLive } from "./api/live";
import { Shell } from "./components/shell";
import { Page } from "./pages/page";
import { startTheme } from "./theme";

// The pages live behind the `#`. An address without it, as one may type it, means the same page.
if (location.pathname !== "/") location.replace(`/#${location.pathname}${location.search}`);

startTheme();
startLive();
createRoot(document.getElementById("root")!).render(
  <Shell>
    <Page />
  </Shell>,
);
