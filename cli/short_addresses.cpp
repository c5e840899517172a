#include "cli/short_addresses.h"

#include <algorithm>
#include <string_view>

#include "cli/wrap.h"

namespace radixmesh::cli {
namespace {

// A number of an address has no domain: its last parts tell members apart.
bool is_number(std::string_view host) {
  return host.find_first_not_of("0123456789.") == std::string_view::npos ||
         host.find(':') != std::string_view::npos;
}

std::string common_end(const std::vector<std::string>& texts) {
  std::string end = texts.front();
  for (const std::string& text : texts) {
    const auto [a, b] = std::ranges::mismatch(end.rbegin(), end.rend(), text.rbegin(), text.rend());
    end.erase(end.begin(), a.base());
  }
  return end;
}

// Of the end that all share, what begins where a part of a name does: "17.prod:80" is ".prod:80".
std::string common_suffix(const std::vector<std::string>& addresses) {
  std::vector<std::string> hosts, ports;
  for (const std::string& address : addresses) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos) return "";
    hosts.push_back(address.substr(0, colon));
    ports.push_back(address.substr(colon));
  }
  if (!std::ranges::all_of(ports, [&](const auto& port) { return port == ports.front(); })) {
    return "";
  }
  if (std::ranges::any_of(hosts, is_number)) return ports.front();
  std::string domain = common_end(hosts);
  // A host that is nothing but the domain keeps its first part.
  for (const std::string& host : hosts) {
    if (domain.size() == host.size()) domain.erase(0, std::max<std::size_t>(1, domain.find('.')));
  }
  const std::size_t dot = domain.find('.');
  return (dot == std::string::npos ? "" : domain.substr(dot)) + ports.front();
}

// Of the beginning that all share, what ends where a part of a name does: "gpu-0" is "gpu-".
std::string common_prefix(const std::vector<std::string>& addresses) {
  std::string begin = addresses.front();
  for (const std::string& address : addresses) {
    const auto [a, b] = std::ranges::mismatch(begin, address);
    begin.erase(a, begin.end());
  }
  return begin.substr(0, begin.find_last_of("-.:") + 1);
}

}  // namespace

ShortAddresses::ShortAddresses(const std::vector<std::string>& addresses, std::size_t width)
    : width_(width) {
  const auto too_wide = [&](const std::string& address) {
    return width_of(address) > width_ + prefix_.size() + suffix_.size();
  };
  const auto any_too_wide = [&] { return std::ranges::any_of(addresses, too_wide); };
  if (addresses.size() >= 2 && any_too_wide()) suffix_ = common_suffix(addresses);
  if (addresses.size() >= 2 && any_too_wide()) prefix_ = common_prefix(addresses);
  cut_ = any_too_wide();
}

std::string ShortAddresses::shortened(const std::string& address) const {
  std::string text = address;
  if (text.ends_with(suffix_)) text.resize(text.size() - suffix_.size());
  if (text.starts_with(prefix_)) text.erase(0, prefix_.size());
  // By bytes where it is of ASCII, as every address that a sidecar takes is.
  if (width_of(text) <= width_ || width_of(text) != text.size()) return text;
  const std::size_t tail = width_ * 2 / 3, head = width_ - tail - 1;
  return text.substr(0, head) + "…" + text.substr(text.size() - tail);
}

std::string ShortAddresses::note() const {
  std::string text;
  if (!prefix_.empty()) text = " begin with " + prefix_;
  if (!suffix_.empty()) text += (text.empty() ? "" : " and") + (" end in " + suffix_);
  if (!text.empty()) text = "all addresses" + text;
  if (cut_) text += (text.empty() ? "" : "; ") + std::string("… stands for what has no room");
  return text.empty() ? "" : text + " (--all has them in full)";
}

}  // namespace radixmesh::cli
