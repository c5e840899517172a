// An answer of "no", with what the caller should do about it and the rule that was broken.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace radixmesh {

// Named by the caller's reaction; the same names stand on the wire (ipc/PROTOCOL.md) and in the
// clients.
enum class RefusalCode : std::uint8_t {
  fix_request,
  send_less,
  use_another_node,
  retry_later,
  upgrade,
  report_bug,
};

constexpr std::string_view refusal_name(RefusalCode code) {
  switch (code) {
    case RefusalCode::fix_request:
      return "fix_request";
    case RefusalCode::send_less:
      return "send_less";
    case RefusalCode::use_another_node:
      return "use_another_node";
    case RefusalCode::retry_later:
      return "retry_later";
    case RefusalCode::upgrade:
      return "upgrade";
    case RefusalCode::report_bug:
      return "report_bug";
  }
  return "report_bug";
}

struct Refusal {
  RefusalCode code = RefusalCode::fix_request;
  std::string message;
};

}  // namespace radixmesh
