#include "cli/compare.h"

#include <algorithm>
#include <set>

#include "lib/base/limits.h"

namespace radixmesh::cli {
namespace {

const Json& required(const Side& side, const char* name) {
  const Json& value = field(side.status, name);
  if (value.is_null()) throw CannotCompare("the status of " + side.socket + " lacks " + name);
  return value;
}

// [epoch, seq] of a node; null where the side does not know it.
const Json& applied(const Side& side, const std::string& addr) {
  const Json& entry = field(required(side, "version_vector"), addr.c_str());
  if (!entry.is_null() && (!entry.is_array() || entry.size() != 2 ||
                           !entry[0].is_number_unsigned() || !entry[1].is_number_unsigned())) {
    throw CannotCompare("the version_vector of " + side.socket + " is not of [epoch, seq]");
  }
  return entry;
}

// The entries of one holder, one after another, fetched a page at a time.
class Entries {
 public:
  Entries(ipc::Client& client, std::string holder) : client_(client), holder_(std::move(holder)) {}

  // Null past the last one.
  Json next() {
    if (at_ == page_.size() && !fetch()) return nullptr;
    return page_[at_++];
  }

 private:
  bool fetch() {
    skip_ += page_.size();
    at_ = 0;
    const ipc::Answer answer = client_.tree(skip_, limits::ipc_tree_rows_max, holder_);
    page_ = field(to_json(answer), "entries");
    if (!page_.is_array()) throw CannotCompare("an answer to tree lacks entries");
    return !page_.empty();
  }

  ipc::Client& client_;
  std::string holder_;
  Json page_ = Json::array();
  std::size_t at_ = 0, skip_ = 0;
};

bool same_entry(const Json& a, const Json& b) {
  for (const char* name : {"seq", "begin", "end", "hash"}) {
    if (field(a, name) != field(b, name)) return false;
  }
  return true;
}

// {a, b} as in compare.h; null if there is none.
Json first_difference(const Side& a, const Side& b, const std::string& addr) {
  Entries of_a(*a.client, addr), of_b(*b.client, addr);
  while (true) {
    Json in_a = of_a.next(), in_b = of_b.next();
    if (in_a.is_null() && in_b.is_null()) return nullptr;
    if (!in_a.is_null() && !in_b.is_null()) {
      if (same_entry(in_a, in_b)) continue;
      // The one of the later op is not the other's counterpart: that one is missing.
      if (field(in_a, "seq") < field(in_b, "seq"))
        in_b = nullptr;
      else if (field(in_b, "seq") < field(in_a, "seq"))
        in_a = nullptr;
    }
    return {{"a", std::move(in_a)}, {"b", std::move(in_b)}};
  }
}

bool moved(Side& side, const std::string& addr) {
  const Json before = applied(side, addr);
  side.status = to_json(side.client->status());
  return applied(side, addr) != before;
}

// The node is known to both, at the same (epoch, seq).
void compare_contents(Side& a, Side& b, const std::string& addr, bool entries, Json& node) {
  const Json digest_a = field(required(a, "digests"), addr.c_str());
  const Json digest_b = field(required(b, "digests"), addr.c_str());
  const bool differ = digest_a != digest_b;
  node["verdict"] = differ ? "digests_differ" : "equal";
  if (differ) node["digests"] = {digest_a, digest_b};
  // Pages of different sizes cut and hash prefixes differently.
  const bool comparable = required(a, "page_size") == required(b, "page_size");
  if (!comparable || (!differ && !entries)) return;
  Json difference = first_difference(a, b, addr);
  const bool moved_a = moved(a, addr), moved_b = moved(b, addr);
  if (moved_a || moved_b) {
    node["verdict"] = "moved";
    return;
  }
  if (!differ && !difference.is_null()) node["verdict"] = "entries_differ";
  if (node["verdict"] != "equal") node["first_difference"] = std::move(difference);
}

Json compare_node(Side& a, Side& b, const std::string& addr, bool entries) {
  const Json in_a = applied(a, addr), in_b = applied(b, addr);
  Json node = {{"addr", addr}, {"verdict", nullptr}, {"a", in_a}, {"b", in_b}};
  if (in_a.is_null() || in_b.is_null()) {
    node["verdict"] = in_a.is_null() ? "a_unknown" : "b_unknown";
  } else if (in_a != in_b) {
    const bool a_behind = in_a < in_b;
    node["verdict"] = a_behind ? "a_behind" : "b_behind";
    if (in_a[0] == in_b[0]) {
      const auto seq_a = in_a[1].get<std::uint64_t>(), seq_b = in_b[1].get<std::uint64_t>();
      node["ops"] = a_behind ? seq_b - seq_a : seq_a - seq_b;
    }
  } else {
    compare_contents(a, b, addr, entries, node);
  }
  return node;
}

Json described(const Side& side) {
  return {{"socket", side.socket},
          {"addr", field(side.status, "addr")},
          {"cluster", field(side.status, "cluster")},
          {"page_size", required(side, "page_size")}};
}

}  // namespace

Json compare(Side a, Side b, bool entries) {
  Json report = {{"verdict", "equal"}, {"a", described(a)}, {"b", described(b)}};
  report["differs"] = Json::array();
  for (const char* name : {"cluster", "page_size"}) {
    if (report["a"][name] != report["b"][name]) report["differs"].push_back(name);
  }
  std::set<std::string> addresses;
  for (const auto& [addr, entry] : required(a, "version_vector").items()) addresses.insert(addr);
  for (const auto& [addr, entry] : required(b, "version_vector").items()) addresses.insert(addr);

  bool different = !report["differs"].empty(), any_moved = false;
  report["nodes"] = Json::array();
  for (const std::string& addr : addresses) {
    Json node = compare_node(a, b, addr, entries);
    if (node["verdict"] == "moved")
      any_moved = true;
    else if (node["verdict"] != "equal")
      different = true;
    report["nodes"].push_back(std::move(node));
  }
  if (different)
    report["verdict"] = "different";
  else if (any_moved)
    report["verdict"] = "moved";
  return report;
}

}  // namespace radixmesh::cli
