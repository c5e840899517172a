// What this node says of itself: HEADs to all, and pulses to its neighbours.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "lib/mesh/news.h"
#include "lib/oplog/own_stream.h"
#include "lib/oplog/streams.h"

namespace radixmesh {

class Heads {
 public:
  Heads(const Roster& roster, Picture& picture, const OwnStream& own, const Streams& streams,
        News& news, HeadPace& pace, Post& post)
      : roster_(roster),
        picture_(picture),
        own_(own),
        streams_(streams),
        news_(news),
        pace_(pace),
        post_(post) {}

  // What others know of this node besides its ops.
  struct Self {
    bool ready = false;
    bool keeps_duplicates = false;
    std::uint32_t sees = 0, of = 0;  // of the members that it should see
  };
  void publish(TimePoint now, const Self& self);
  Pulse pulse_for(const Member& to);
  // What its engine reported last.
  void note_load(const Load& load) { load_ = load; }
  // Its own entry is the first.
  std::vector<VectorEntry> version_vector() const;
  Digest own_digest() const;
  // HEADs that it published.
  std::uint64_t beat() const { return beat_; }
  HeadMessage::Stand standing(TimePoint now, const Self& self) const;

  // ---- those of members ------------------------------------------------------------------------

  // False where it was seen already, on another way.
  bool note(NodeId member, const HeadMessage& head);
  std::uint64_t last_beat(NodeId member) const;
  void believe_beat(NodeId member, std::uint64_t beat) { said_[member].last_beat = beat; }
  HeadMessage::Stand standing_of(NodeId member) const;
  void begin_life(NodeId member) { said_[member].last_beat = 0; }
  void forget(NodeId member) { said_.erase(member); }

 private:
  // How a member stands, by its own word, and how many HEADs it has published.
  struct Said {
    std::uint64_t last_beat = 0;
    HeadMessage::Stand standing;
  };
  std::vector<VectorEntry> news_vector();

  const Roster& roster_;
  Picture& picture_;
  const OwnStream& own_;
  const Streams& streams_;
  News& news_;
  HeadPace& pace_;
  Post& post_;
  std::uint64_t beat_ = 0;
  std::uint32_t vector_turn_ = 0;  // which part of a long vector is told next
  std::optional<Load> load_;
  std::map<NodeId, Said> said_;
};

}  // namespace radixmesh
