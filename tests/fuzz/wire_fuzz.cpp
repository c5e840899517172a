// Fuzzes the codec: the input is a payload from another node. Nothing may crash, and what decodes
// is a value: encoded again it decodes to the same. Each frame is looked at as it is, and again
// with a check that holds.
#include <cstdio>
#include <cstdlib>

#include "lib/oplog/codec.h"
#include "tests/fuzz/forged_frame.h"
#include "tests/unit/wire_show.h"

namespace radixmesh {
namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void look_at(std::string_view frame) {
  const auto message = decode(frame);
  const auto envelope = decode_envelope(frame);
  if (!message) {
    require(!sentence(message.error()).empty(), "every error has a sentence");
    return;
  }
  require(envelope && envelope->seq == message->envelope.seq, "both gates agree");
  const std::string shown = WireShow::of(*message);
  const Bytes again = encode(*message);
  std::string_view rest = again;
  const auto taken = take_frame(rest);
  require(taken && rest.empty(), "what is encoded is one frame");
  const auto back = decode(*taken);
  require(back && WireShow::of(*back) == shown, "what decodes re-encodes to its equal");
  require(encode(*back) == again, "encoding is a function of the value");
}

}  // namespace
}  // namespace radixmesh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace radixmesh;
  std::string_view payload(reinterpret_cast<const char*>(data), size);
  while (!payload.empty()) {
    const auto frame = take_frame(payload);
    if (!frame) break;
    look_at(*frame);
    const Bytes repaired = RepairedFrame::of(frame->substr(4));
    look_at(repaired);
  }
  return 0;
}
