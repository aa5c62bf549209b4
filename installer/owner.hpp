#pragma once

// The password of a cluster's first user: made once, handed to the gateway by a file that only root
// can read and that the gateway removes, and never kept here.

#include <optional>
#include <string>

#include "base/result.hpp"
#include "installer/cluster.hpp"

namespace installer {

/// Twenty characters of the operating system's randomness, without those that are easily mistaken.
base::Result<std::string> make_password();

/// The password that the gateway has been or will be given and that nobody was told of for sure:
/// a new one, or one that lies there still. Absent: the cluster has users already.
base::Result<std::optional<std::string>> first_password(const ClusterPlan& plan);

/// Writes the file for the gateway, mode 0600.
base::Status hand_over(const ClusterPlan& plan, const std::string& password);

/// The key of the load balancers' gossip: 32 random bytes in hexadecimal, mode 0600; an existing one stays.
base::Status make_cluster_key(const ClusterPlan& plan);

}  // namespace installer
