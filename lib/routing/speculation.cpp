#include "lib/routing/speculation.h"

#include "lib/base/limits.h"
#include "lib/tree/edge_values.h"
#include "lib/tree/holder_tree.h"

namespace radixmesh {
namespace {

// What an entry takes beside its tokens and its namespace.
constexpr std::uint64_t kNoteBytes = 256;

}  // namespace

struct Speculation::Generation {
  explicit Generation(std::uint32_t page_size) : tree(page_size) {}

  HolderTree<RankValue> tree;
  std::map<NodeId, HolderIndex> holders;
  std::map<HolderIndex, NodeId> nodes;
  Seq last;
  std::uint64_t bytes = 0;  // at most: what is shared is counted for each
};

Speculation::Speculation(std::uint32_t page_size, Duration lives)
    : page_size_(page_size), lives_(lives) {}
Speculation::~Speculation() = default;

void Speculation::note(TimePoint now, NodeId node, const CacheNamespace& name,
                       std::span<const TokenId> tokens) {
  const auto whole = tokens.first(tokens.size() / page_size_ * page_size_);
  if (whole.empty() || lives_ == Duration{0}) return;
  expire(now);
  std::uint64_t bytes = kNoteBytes + whole.size_bytes();
  for (const NamespacePart& part : name.parts) bytes += part.value.size();
  if (present_ && present_->bytes + bytes > limits::speculative_bytes_max) turn(now);
  if (!present_) {
    present_ = std::make_unique<Generation>(page_size_);
    if (!former_) next_turn_ = now + lives_;
  }
  present_->bytes += bytes;
  auto found = present_->holders.find(node);
  if (found == present_->holders.end()) {
    const HolderIndex holder = present_->tree.add_holder();
    found = present_->holders.emplace(node, holder).first;
    present_->nodes.emplace(holder, node);
  }
  present_->last = Seq{present_->last.value + 1};
  present_->tree.store(found->second, {present_->last, Anchor{}, name, whole, SlotRuns{}});
}

void Speculation::match(const CacheNamespace& name, std::span<const TokenId> tokens,
                        const std::function<void(NodeId, std::uint32_t)>& found) const {
  for (const Generation* generation : {present_.get(), former_.get()}) {
    if (generation == nullptr) continue;
    generation->tree.match(name, tokens, match_);
    for (const HolderDepth& each : match_.depths) {
      const auto node = generation->nodes.find(each.holder);
      if (node != generation->nodes.end()) found(node->second, each.tokens);
    }
  }
}

void Speculation::drop_node(NodeId node) {
  for (Generation* generation : {present_.get(), former_.get()}) {
    if (generation == nullptr) continue;
    const auto found = generation->holders.find(node);
    if (found != generation->holders.end()) generation->tree.clear(found->second);
  }
}

void Speculation::turn(TimePoint now) {
  former_ = std::move(present_);
  next_turn_ = former_ ? now + lives_ : kNever;
}

void Speculation::expire(TimePoint now) {
  while (next_turn_ <= now) turn(next_turn_);
}

TimePoint Speculation::next_expiry() const { return next_turn_; }

std::uint64_t Speculation::tokens() const {
  std::uint64_t sum = 0;
  for (const Generation* generation : {present_.get(), former_.get()}) {
    if (generation != nullptr) sum += generation->tree.token_count();
  }
  return sum;
}

}  // namespace radixmesh
