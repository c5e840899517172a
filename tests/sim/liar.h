// A liar among the nodes, or a stranger who reaches their ports: frames with valid checks and false
// contents, in whosever name it likes. What it publishes and asks may be in anybody's name; its
// answers are its own, as an answer comes over the connection to who was asked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/sim/network.h"

namespace radixmesh::sim {

class Liar {
 public:
  // `member`: one of the network, that goes on as it is but for what it says; none: a stranger.
  Liar(Network& network, const ReplicaSettings& settings, std::uint64_t seed,
       std::optional<std::size_t> member);
  // Says a few false things to some node that runs.
  void lie();
  // From now on nothing false is said.
  void stop() { network_.answers_instead = nullptr; }

 private:
  // In whose name it speaks, with the numbers that are right, or that the one who is told believes.
  struct Mask {
    std::string addr;
    NodeId id;
    NodeRank rank;
    Role role = Role::prefill;
    Epoch epoch{1};
    std::uint32_t refute = 0;
    Seq head;
  };

  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool sometimes(std::size_t one_in) { return below(one_in) == 0; }
  NodeId id_of(std::size_t node) const;
  Mask mask_of(std::size_t node, std::size_t told);
  Mask invented();
  Mask anybody(std::size_t told);

  std::uint64_t number(std::uint64_t real, std::uint64_t max);
  std::uint64_t any_count(std::uint64_t real);
  std::uint32_t any_refute(std::uint32_t real);
  Epoch any_epoch(Epoch real);
  MemberState any_state() { return static_cast<MemberState>(below(4)); }
  Digest any_digest() { return Digest{random_()} << 64 | random_(); }
  Anchor any_page(const Mask& mask);
  std::vector<Anchor> some_pages(const Mask& mask);
  InsertOp any_insert(const Mask& mask);
  std::vector<VectorEntry> any_vector(std::size_t told);
  std::vector<MemberNews> any_news(std::size_t told);
  Standing any_standing(std::size_t told);
  Duration any_lease(std::uint64_t longest);
  Founder any_founder(const Mask& mask);
  JoinedMessage any_joined(const Mask& mask);
  Introduction any_introduction(const Mask& mask, std::size_t told);
  Pulse any_pulse(const Mask& mask, std::size_t told);
  HeadMessage any_head(const Mask& mask, std::size_t told);
  SnapshotChunk any_chunk(const Mask& about, std::uint64_t session);

  Message in_name_of(const Mask& mask, Body body);
  Message op_of(const Mask& mask);
  Body published(const Mask& mask, std::size_t told);
  Body question(const Mask& mask, std::size_t told);
  Body unasked_answer(const Mask& mask, std::size_t told);
  Bytes ops_of(const Mask& mask);
  std::optional<Body> answer_to(const Message& asked, const Mask& mask, std::size_t asker);
  std::optional<Bytes> answer_instead(std::size_t asker, std::string_view payload);

  Network& network_;
  ReplicaSettings settings_;
  Network::Random random_;
  std::optional<std::size_t> member_;
};

}  // namespace radixmesh::sim
