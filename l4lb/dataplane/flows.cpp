#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "l4lb/dataplane/nft_apply.hpp"

namespace l4lb {
namespace {

struct Search {
  const std::set<StaleFlows>* wanted;
  std::vector<nf_conntrack*> found;
};

Address address_of(const nf_conntrack* flow, bool v6, nf_conntrack_attr attr4, nf_conntrack_attr attr6) {
  Address out;
  const void* bytes = nfct_get_attr(flow, v6 ? attr6 : attr4);
  if (!bytes) return out;
  out.family = v6 ? 6 : 4;
  std::memcpy(out.bytes.data(), bytes, out.size());
  return out;
}

int visit(nf_conntrack_msg_type, nf_conntrack* flow, void* data) {
  auto* search = static_cast<Search*>(data);
  if (nfct_get_attr_u8(flow, ATTR_L4PROTO) != IPPROTO_UDP) return NFCT_CB_CONTINUE;
  const bool v6 = nfct_get_attr_u8(flow, ATTR_L3PROTO) == AF_INET6;
  StaleFlows key;
  key.service.protocol = Protocol::Udp;
  key.service.address = address_of(flow, v6, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST);
  key.service.port = ntohs(nfct_get_attr_u16(flow, ATTR_ORIG_PORT_DST));
  key.backend.address = address_of(flow, v6, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC);
  key.backend.port = ntohs(nfct_get_attr_u16(flow, ATTR_REPL_PORT_SRC));
  if (search->wanted->contains(key))
    if (nf_conntrack* copy = nfct_clone(flow)) search->found.push_back(copy);
  return NFCT_CB_CONTINUE;
}

}  // namespace

base::Result<int> delete_flows(const std::vector<StaleFlows>& flows) {
  if (flows.empty()) return 0;
  const std::set<StaleFlows> wanted(flows.begin(), flows.end());
  nfct_handle* handle = nfct_open(CONNTRACK, 0);
  if (!handle) return base::errno_error("cannot open the connection table", errno);
  Search search{&wanted, {}};
  nfct_callback_register(handle, NFCT_T_ALL, visit, &search);
  int failed = 0;
  for (const uint32_t family : {uint32_t{AF_INET}, uint32_t{AF_INET6}})
    if (nfct_query(handle, NFCT_Q_DUMP, &family) < 0) failed = errno;
  nfct_callback_unregister(handle);
  int deleted = 0;
  for (nf_conntrack* flow : search.found) {
    if (nfct_query(handle, NFCT_Q_DESTROY, flow) >= 0) ++deleted;
    else if (errno != ENOENT) failed = errno;
    nfct_destroy(flow);
  }
  nfct_close(handle);
  if (failed != 0) return base::errno_error("cannot forget flows", failed);
  return deleted;
}

}  // namespace l4lb
