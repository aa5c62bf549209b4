#include "marathon/disks.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "marathon/constraints.hpp"

namespace marathon {
namespace {

bool accepts(const std::vector<std::string>& roles, const std::string& role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

bool is_kind(const DiskPiece& piece, const PersistentDisk& wanted) {
  if (piece.type != wanted.type || piece.profile != wanted.profile_name.value_or("")) return false;
  return std::all_of(wanted.constraints.begin(), wanted.constraints.end(), [&](const Constraint& constraint) {
    return matches_pattern(piece.root, constraint.value.value_or("")) == (constraint.op == ConstraintOperator::Like);
  });
}

DiskPiece* find_disk(std::vector<DiskPiece>& disks, const std::vector<std::string>& roles, const PersistentDisk& wanted) {
  const int64_t least = wanted.size_mb * 1000;
  const int64_t most = wanted.max_size_mb ? *wanted.max_size_mb * 1000 : std::numeric_limits<int64_t>::max();
  DiskPiece* best = nullptr;
  for (DiskPiece& piece : disks) {
    if (!accepts(roles, piece.role) || !is_kind(piece, wanted) || piece.left < least) continue;
    const bool whole = piece.type == DiskType::Mount;
    if (whole && piece.left > most) continue;
    if (!best || (whole ? piece.left < best->left : piece.left > best->left)) best = &piece;
  }
  return best;
}

bool place_on_root(Offer& offer, const std::vector<std::string>& roles, int64_t amount, PlacedScalar& out) {
  for (ScalarPiece& piece : offer.disk) {
    if (!accepts(roles, piece.role) || piece.left < amount) continue;
    piece.left -= amount;
    out = {piece.index, amount};
    return true;
  }
  return false;
}

}  // namespace

bool place_volumes(Offer& offer, const App& app, const std::vector<std::string>& roles, Placement& placement) {
  const std::vector<PersistentVolume> volumes = persistent_volumes(app);
  std::vector<size_t> order(volumes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return volumes[a].disk.size_mb > volumes[b].disk.size_mb; });
  placement.volumes.assign(volumes.size(), {});
  for (const size_t i : order) {
    const PersistentDisk& wanted = volumes[i].disk;
    if (wanted.type == DiskType::Root) {
      if (!place_on_root(offer, roles, wanted.size_mb * 1000, placement.volumes[i])) return false;
      continue;
    }
    DiskPiece* piece = find_disk(offer.disks, roles, wanted);
    if (!piece) return false;
    const int64_t amount = piece->type == DiskType::Mount ? piece->left : wanted.size_mb * 1000;
    piece->left -= amount;
    placement.volumes[i] = {piece->index, amount};
    if (piece->left == 0) offer.disks.erase(offer.disks.begin() + (piece - offer.disks.data()));
  }
  return true;
}

}  // namespace marathon
