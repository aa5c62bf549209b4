#pragma once

// `dcos job` over Metronome's API, for clusters whose job.url says where that is. What users write is sent as it is.

#include "cli/client.hpp"
#include "cli/commands.hpp"

namespace cli {

/// The cluster's job.url is set.
bool has_metronome(const Client& client);

namespace metronome {

base::Result<int> add(Context& context, Client& client, const Arguments& arguments);
base::Result<int> update(Context& context, Client& client, const Arguments& arguments);
base::Result<int> remove(Context& context, Client& client, const Arguments& arguments);
base::Result<int> show(Context& context, Client& client, const Arguments& arguments);
base::Result<int> list(Context& context, Client& client, const Arguments& arguments);
base::Result<int> run(Context& context, Client& client, const Arguments& arguments);
base::Result<int> kill(Context& context, Client& client, const Arguments& arguments);
base::Result<int> history(Context& context, Client& client, const Arguments& arguments);
base::Result<int> show_runs(Context& context, Client& client, const Arguments& arguments);
base::Result<int> queue(Context& context, Client& client, const Arguments& arguments);
base::Result<int> schedule_show(Context& context, Client& client, const Arguments& arguments);
base::Result<int> schedule_add(Context& context, Client& client, const Arguments& arguments);
base::Result<int> schedule_update(Context& context, Client& client, const Arguments& arguments);
base::Result<int> schedule_remove(Context& context, Client& client, const Arguments& arguments);

}  // namespace metronome
}  // namespace cli
