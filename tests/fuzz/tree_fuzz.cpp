// Fuzzes the tree against the model: the input's bytes are the choices of a random history
// (tests/unit/tree_trial.h). Byte 0 chooses the page size, 1 the key shape, 2 the owner's bound in
// pages (0: none), 3 the value classes; then each step takes what it needs.
#include <cstdio>
#include <cstdlib>

#include "tests/unit/tree_trial.h"

namespace radixmesh {
namespace {

// When the bytes are used up every choice is 0.
class ByteChoices final : public Choices {
 public:
  explicit ByteChoices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool done() const { return at_ >= bytes_.size(); }
  std::uint32_t below(std::uint32_t bound) override {
    std::uint32_t value = byte();
    for (std::uint64_t range = 256; range < bound; range *= 256) value = value * 256 + byte();
    return value % bound;
  }

 private:
  std::uint32_t byte() { return done() ? 0 : bytes_[at_++]; }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

template <class OwnerValue, class MemberTreeValue>
void run(const TrialOptions& options, ByteChoices& choices) {
  TreeTrial<OwnerValue, MemberTreeValue> trial(options, choices);
  try {
    for (int steps = 0; steps < 400 && !choices.done(); ++steps) trial.step();
    trial.finish();
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    std::abort();
  }
}

}  // namespace
}  // namespace radixmesh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace radixmesh;
  ByteChoices choices({data, size});
  TrialOptions options;
  options.page_size = std::array{1u, 4u, 16u, 64u}[choices.below(4)];
  options.shape = kKeyShapes[choices.below(kKeyShapes.size())];
  options.tokens_max = choices.below(32) * options.page_size;
  options.names = 3;
  if (choices.one_in(2)) {
    run<MemberValue, OwnSlotsValue>(options, choices);
  } else {
    run<OwnSlotsValue, MemberValue>(options, choices);
  }
  return 0;
}
