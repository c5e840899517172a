// HELLO and WELCOME: two nodes find out whether they may talk, and where the other one is. Here: to
// whom and when, who refuses whom, and what a member is believed to have said of itself.
//
//   not introduced ──HELLO, again and again──► WELCOME: introduced ──now and then──► asked anew
//        ▲                                        │
//        └── dead, refused, another life ◄────────┘
//
// Starting order does not matter, and a node that is back is found, after a partition as well. The
// pauses grow while nothing comes back. Whoever is introduced is asked now and then all the same:
// what it says of itself ends whatever others said of it wrongly.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/own_numbers.h"
#include "lib/base/timers.h"
#include "lib/members/roster.h"
#include "lib/mesh/next_look.h"
#include "lib/oplog/message.h"
#include "lib/oplog/outbox.h"

namespace radixmesh {

class Greetings {
 public:
  // What must agree between two nodes.
  struct Settings {
    std::string cluster;
    std::uint32_t page_size = 1;
    std::uint32_t protocol_min = kProtocolMin, protocol_max = kProtocolMax;
  };
  Greetings(Settings settings, const Timers& timers, Roster& roster, NextLook& look, Outbox& out)
      : settings_(std::move(settings)), timers_(timers), roster_(roster), look_(look), out_(out) {}

  // ---- whom to greet ---------------------------------------------------------------------------

  // One to say HELLO to now. Before that another address is tried, where nobody answers to the
  // name, and it is asked to let this node in once more, where it may have forgotten it.
  struct Due {
    NodeId id;
    bool redials = false, asks_to_join = false;
  };
  // Greeted, each is due again later.
  std::vector<Due> due(TimePoint now);
  // HELLO goes out to it, while `numbers` are believed of it. Returns which question it is.
  std::uint64_t ask(TimePoint now, NodeId id, const OwnNumbers& numbers);
  // Something was heard of a member that only the member itself can confirm.
  void doubt(TimePoint now, NodeId id);
  // It is greeted at this time, at the latest; or as one that was never greeted.
  void greet_by(TimePoint due, NodeId id);
  void greet_anew(TimePoint due, NodeId id);

  // ---- lives -----------------------------------------------------------------------------------

  void begin_life(TimePoint now, NodeId id);
  // Its life was heard of through others: its own word counts, whatever it is.
  void note_hearsay(NodeId id);
  void forget(NodeId id) { members_.erase(id); }
  // Where it is met as if for the first time questions go on: an answer to an earlier one is no
  // answer to the next.
  std::uint64_t questions(NodeId id) const { return of(id).questions; }
  void go_on_from(NodeId id, std::uint64_t questions) { members_[id].questions = questions; }
  bool is_hearsay(NodeId id) const;
  // The latest life in whose name someone said HELLO.
  Epoch hello_epoch(NodeId id) const;

  // ---- what was said ---------------------------------------------------------------------------

  // What differs of the settings that must agree everywhere, as one sentence.
  std::optional<std::string> settings_disagreement(const Introduction& hello) const;
  // What else stands between the two; nothing if they may talk.
  std::optional<std::string> disagreement(const Introduction& hello, NodeId from) const;
  // A HELLO in a member's name. Anyone may say that: so it only makes us ask back, at the address
  // that we know. Where another process answers there, that is the reason to refuse it.
  std::optional<std::string> note_hello(TimePoint now, NodeId from, Epoch epoch);
  // Whether this WELCOME answers a question asked since its life was heard of through others.
  bool is_fresh(NodeId from, const Introduction& welcome) const;
  // Its WELCOME, of this epoch: the address answers.
  void note_welcome(NodeId from, Epoch epoch);
  // It is introduced: what it said counts.
  void accept(TimePoint now, NodeId from);
  // What was believed of it when this question was asked: what it answers is never below that, but
  // where that was wrong. Once; nothing for another question.
  std::optional<OwnNumbers> take_believed(NodeId from, std::uint64_t question);
  // Notes the reason with the member whose address it is, if there is one. Logged once for a
  // member, and for strangers at most once a second.
  void turn_down(TimePoint now, const Introduction& hello, const std::string& reason);
  // ... and it is not introduced.
  void refuse(TimePoint now, NodeId from, const Introduction& hello, const std::string& reason);
  void on_refused(TimePoint now, NodeId from, const std::string& reason);
  // Why one of the two refused the other; empty if nobody did.
  const std::string& refusal(NodeId id) const;
  // A message of a life that is not introduced, and is none that ended: something was lost in
  // between, and HELLO goes out soon.
  void note_lost(TimePoint now, const Member& member, Epoch epoch);

 private:
  struct Greeting {
    bool asks_back = false;         // someone said HELLO in its name, with news: ask it itself
    Epoch hello_epoch;              // of that HELLO
    bool epoch_is_hearsay = false;  // others told its epoch
    bool impostor = false;          // the address answered with an earlier life than that
    std::string refusal;
    TimePoint next_hello = TimePoint::min(), last_hello = TimePoint::min();
    TimePoint next_audit = kNever;  // once it is introduced
    std::optional<OwnNumbers> believed;
    std::uint64_t questions = 0;       // HELLOs to it
    std::uint64_t fresh_question = 0;  // the first since its epoch was heard of through others
    std::uint32_t hellos = 0;          // since it was last heard: the pauses grow
  };
  const Greeting& of(NodeId id) const;

  Settings settings_;
  const Timers& timers_;
  Roster& roster_;
  NextLook& look_;
  Outbox& out_;
  std::map<NodeId, Greeting> members_;
  TimePoint next_stranger_line_ = TimePoint::min();  // of the log
};

}  // namespace radixmesh
