// The faults of radixmesh-sidecar-faulty: each frame that came in is lost, doubled, or swapped with
// the next one of the same message, by chances and a seed from the environment, such as
// FRAME_FAULTS="lost=0.1 doubled=0.05 swapped=0.05 seed=7". Without it nothing happens to frames.
#include "sidecar/frame_faults.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include "lib/oplog/codec.h"

namespace radixmesh {
namespace {

struct Faults {
  double lost = 0, doubled = 0, swapped = 0;
  std::mt19937_64 chance;

  Faults() {
    const char* text = std::getenv("FRAME_FAULTS");
    unsigned long long seed = 0;
    if (text == nullptr) return;
    if (std::sscanf(text, "lost=%lf doubled=%lf swapped=%lf seed=%llu", &lost, &doubled, &swapped,
                    &seed) != 4) {
      std::fprintf(stderr, "FRAME_FAULTS is not as frame_faults.cpp says\n");
      std::exit(1);
    }
    chance.seed(seed);
  }

  bool happens(double likely) { return std::uniform_real_distribution<>()(chance) < likely; }

  // What is left of a message; nothing may be.
  Bytes spoil(std::string_view payload) {
    Bytes out, swapped_back;
    while (!payload.empty()) {
      const std::string_view before = payload;
      if (!take_frame(payload)) return out.append(before);  // garbage stays garbage
      const std::string_view frame = before.substr(0, before.size() - payload.size());
      if (happens(lost)) continue;
      if (swapped_back.empty() && happens(swapped)) {
        swapped_back = frame;
        continue;
      }
      out.append(frame);
      if (happens(doubled)) out.append(frame);
      out.append(std::exchange(swapped_back, {}));
    }
    return out.append(swapped_back);
  }
};

}  // namespace

void pass_frames(const Input& input, const std::function<void(const Input&)>& sink) {
  static Faults faults;
  Input spoilt = input;
  Bytes payload;
  const auto spoil = [&](auto& message) {
    payload = faults.spoil(message.payload);
    message.payload = payload;
  };
  if (auto* published = std::get_if<Published>(&spoilt)) spoil(*published);
  if (auto* received = std::get_if<Received>(&spoilt)) spoil(*received);
  const bool carries = !std::holds_alternative<Subscribed>(input);
  if (!carries || !payload.empty()) sink(spoilt);
}

}  // namespace radixmesh
