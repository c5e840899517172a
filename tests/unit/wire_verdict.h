// What the codec says of bytes, as text, and tables of what it refuses.
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "lib/oplog/codec.h"
#include "tests/unit/wire_hex.h"
#include "tests/unit/wire_show.h"

namespace radixmesh {

using Verdict = tl::expected<Message, WireError>;

inline Verdict decode_all(std::string_view bytes) {
  auto frame = take_frame(bytes);
  if (!frame) return tl::unexpected(frame.error());
  return decode(*frame);
}

inline std::string show(const Verdict& verdict) {
  return verdict ? WireShow::of(*verdict) : std::string(sentence(verdict.error()));
}

struct Case {
  std::string why, hex;
};

inline void check_refused(WireError error, std::initializer_list<Case> cases) {
  for (const Case& each : cases) {
    CAPTURE(each.why);
    const Verdict verdict = decode_all(framed(each.hex));
    const std::string_view expected = sentence(error);
    CHECK_MESSAGE((!verdict && verdict.error() == error), expected, " but: ", show(verdict));
  }
}

}  // namespace radixmesh
