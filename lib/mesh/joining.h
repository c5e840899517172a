// How a node that is in nobody's lists comes into a mesh, or begins one; and how two meshes that
// began apart become one.
//
//   JOIN to all that the names of --join stand for
//     ├─ someone lets it in ──────────────────────────► in that mesh
//     └─ nobody is there, or all who are wait for it ──► begins one, after join_wait
//                                                            │ meets a mesh with a lower founder
//                                                            ▼
//                                     JOIN to a member of that: in it, under the rank it is given
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/link.h"
#include "lib/base/timers.h"
#include "lib/members/roster.h"
#include "lib/mesh/greetings.h"
#include "lib/mesh/next_look.h"
#include "lib/mesh/seeds.h"
#include "lib/oplog/post.h"

namespace radixmesh {

class Joining {
 public:
  struct Settings {
    std::string cluster, addr;
    std::vector<std::string> names;  // whom to ask
    NodeRank rank = kAnyRank;        // given by its operator
    Epoch life;
  };
  Joining(Settings settings, const Timers& timers, Roster& roster, const Greetings& greetings,
          NextLook& look, Post& post, Outbox& out, TimePoint now);

  // Since when this node is in its mesh; before that, since when it wants to be in one.
  TimePoint since() const { return since_; }

  // ---- seeds -----------------------------------------------------------------------------------

  // Each address that a seed stands for is one to ask. Those that it no longer stands for are let
  // go.
  void on_seeds_found(TimePoint now, const std::string& name,
                      const std::vector<std::string>& addresses,
                      const std::vector<std::string>& here, bool is_known);
  // What was sent there came back: that connection leads nowhere.
  void on_own_echo(TimePoint now, NodeId peer);
  void on_link(TimePoint now, NodeId peer, LinkTrouble trouble);
  Seeds& seeds() { return seeds_; }
  // A member was removed. Who let this node in stays within its reach.
  void keep_in_reach(NodeId id);

  // ---- asking ----------------------------------------------------------------------------------

  // Whether others are to be asked now. It goes on while it knows nobody that lives: then nobody
  // may know of it either. And now and then later: a mesh that began apart may have come within
  // reach.
  bool asks(TimePoint now);
  void ask(TimePoint now, const Introduction& self) { ask_all(now, request(self)); }
  // What is asked. A rank that was handed out may have been given to another since; only what the
  // operator gave is asked for.
  JoinMessage request(const Introduction& self) const;
  // A member answered: it may be of a lower mesh.
  void note_welcome(TimePoint now);
  // Begins a mesh where there is none to wait for. True where it did.
  bool begins_mesh(TimePoint now);
  // Someone lets this node in.
  enum class LetIn : std::uint8_t { no, first, from_another_mesh };
  LetIn on_joined(TimePoint now, const JoinedMessage& joined);

  // ---- letting others in -----------------------------------------------------------------------

  std::optional<std::string> objection_to(const JoinMessage& join, NodeId from) const;
  // Of the mesh that this node is in, or would begin.
  Founder founder() const;
  // Who asks comes into this mesh; else it is this node that has to ask.
  bool lets_in(const JoinMessage& join) const;
  // It is let in: it has a rank from now on.
  void assign_rank(Member& member, const JoinMessage& join);

  // Why this node is in no mesh yet.
  std::string why_not(TimePoint now) const;

 private:
  const Member* member_of_lower_mesh() const;
  void ask_all(TimePoint now, const JoinMessage& request);
  void ask_seeds(TimePoint now, const JoinMessage& request);
  bool is_alone() const { return !roster_.joined() || roster_.view().places.size() <= 1; }
  Duration find_pause() const { return is_alone() ? timers_.find_seeds : timers_.find_others; }
  Founder would_be_founder() const { return {settings_.addr, settings_.life}; }

  Settings settings_;
  const Timers& timers_;
  Roster& roster_;
  const Greetings& greetings_;
  NextLook& look_;
  Post& post_;
  Outbox& out_;
  Seeds seeds_;
  TimePoint since_, next_join_;
  TimePoint last_find_ = TimePoint::min();
};

}  // namespace radixmesh
