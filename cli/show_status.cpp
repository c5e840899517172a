// The node in a screen: what is wrong first, then what it holds and does.
#include "cli/members.h"
#include "cli/show.h"
#include "cli/units.h"
#include "cli/wrap.h"

namespace radixmesh::cli {
namespace {

constexpr std::size_t kLabelWidth = 14;

// Lines "label   text"; without text there is no line.
class Lines {
 public:
  void add(std::string label, const std::string& text) {
    if (text.empty()) return;
    label.resize(kLabelWidth, ' ');
    out_ += wrapped(label, text, kLabelWidth);
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

std::string after(const char* before, const Json& value, const char* behind = "") {
  return value.is_null() ? "" : before + cell(value) + behind;
}

// Those that are there, with ", " between them.
std::string listed(std::initializer_list<std::string> parts) {
  std::string out;
  for (const std::string& part : parts) {
    if (!part.empty()) out += (out.empty() ? "" : ", ") + part;
  }
  return out;
}

std::string bytes_after(const char* before, const Json& value, const char* behind = "") {
  return value.is_number_unsigned() ? before + bytes_text(value.get<std::uint64_t>()) + behind : "";
}

std::string title(const Json& status) {
  return listed({plain_cell(field(status, "addr")), after("", field(status, "role")),
                 is_rank(field(status, "rank")) ? "rank " + rank_cell(field(status, "rank")) : "",
                 after("cluster ", field(status, "cluster")),
                 field(status, "founder") == "" ? "" : after("begun by ", field(status, "founder")),
                 field(status, "draining") == true ? "leaving" : ""});
}

std::string ready_text(const Json& status) {
  const Json& ready = field(status, "ready");
  if (ready == false) return "no" + why_not_ready(status).substr(std::string("not ready").size());
  const Json& sees = field(status, "sees");
  std::string out = after("", ready);
  if (sees.is_array() && sees.size() == 2) {
    out += ": sees " + plain_cell(sees[0]) + " of " + plain_cell(sees[1]) + " members";
  }
  const Json& health = field(status, "health");
  if (health.is_number_unsigned() && health != 0) {
    out += "; doubts itself, and waits " + std::to_string(health.get<std::uint64_t>() + 1) +
           " times as long for others";
  }
  return out;
}

std::string tokens_text(const Json& status) {
  return listed({after("", field(status, "local_tokens"), " tokens"),
                 after("", field(status, "evictable_tokens"), " evictable"),
                 after("", field(status, "protected_tokens"), " locked"),
                 after("", field(status, "leases"), " leases")});
}

std::string picture_text(const Json& status) {
  return listed({after("", field(status, "tree_tokens"), " distinct tokens of all nodes"),
                 bytes_after("", field(status, "memory_bytes")),
                 after("", field(status, "ops_applied"), " ops applied")});
}

std::string ring_text(const Json& ring) {
  if (!ring.is_object()) return "";
  const Json &open = field(ring, "open_at"), &seconds = field(ring, "round_trip_seconds");
  if (open.is_array() && !open.empty()) return "open at " + plain_cell(open);
  if (field(ring, "verified") != true) return "not gone around twice yet";
  return "closed" +
         (seconds.is_number() ? ", two rounds take " + seconds_cell(seconds) : std::string());
}

std::string routing_text(const Json& routing) {
  const Json& routed = field(routing, "routed");
  if (!routed.is_object()) return "";
  std::string reasons;
  for (const auto& [reason, count] : routed.items()) {
    if (count != 0)
      reasons += (reasons.empty() ? "" : ", ") + printable(reason) + " " + cell(count);
  }
  return listed({reasons.empty() ? "nothing" : reasons,
                 after("", field(routing, "bookings"), " bookings open"),
                 after("", field(routing, "bookings_expired"), " expired"),
                 field(routing, "warming_up") == true ? "warming up" : ""});
}

std::string gc_text_short(const Json& gc) {
  if (!gc.is_object()) return "";
  if (field(gc, "mode") == "off") return "off";
  return listed({after("", field(gc, "mode")),
                 field(gc, "engine_frees") == true ? "" : "nobody subscribed to gc_free",
                 after("", field(gc, "retiring_tokens"), " tokens on their way out"),
                 after("", field(gc, "unacknowledged_tokens"), " not acknowledged")});
}

std::string turn_text(const Json& status) {
  const Json& longest = field(status, "longest_turn_ms");
  if (!longest.is_number()) return "";
  const Json& lately = field(status, "longest_turn_last_minute_ms");
  return "longest turn " + cell(longest) + " ms" +
         (lately.is_number() ? ", " + cell(lately) + " ms in the last minute" : std::string());
}

}  // namespace

std::string status_text(const Json& status, const Json& nodes,
                        const std::vector<std::string>& troubles) {
  if (!status.is_object() || status.empty()) return plain_cell(status) + "\n";
  Lines lines;
  lines.add("ready", ready_text(status));
  if (nodes.is_array()) {
    lines.add("members", count_text(nodes.size()) + ": " + conditions_text(nodes));
    const std::string missing = missing_text(nodes);
    lines.add("not here yet", missing.empty() ? "nothing" : missing);
  }
  lines.add("holds", tokens_text(status));
  lines.add("picture", picture_text(status));
  lines.add("wire", listed({bytes_after("", field(status, "bytes_sent"), " sent"),
                            bytes_after("", field(status, "bytes_received"), " received")}));
  lines.add("ring", ring_text(field(status, "ring")));
  lines.add("routed", routing_text(field(status, "routing")));
  lines.add("collecting", gc_text_short(field(status, "gc")));
  lines.add("loop", turn_text(status));
  lines.add("settings", listed({after("page size ", field(status, "page_size")),
                                after("topology ", field(status, "topology")),
                                after("policy ", field(status, "policy"))}));
  const Json& epoch = field(status, "epoch");
  lines.add("epoch", epoch.is_null() ? "" : epoch_cell(epoch));
  return wrapped("", title(status), 2) + troubles_text(troubles) + lines.text() +
         "status --all has every field and counter\n";
}

}  // namespace radixmesh::cli
