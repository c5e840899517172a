// This node as a reader: its registrations at other nodes, and the references that stand under
// them.
//
//   no registration ──REGISTER──► asked ──REGISTERED──► registered: position, lease
//        ▲                          ▲                      │  │
//        │                          └── the lease lapsed ──┘  │ nothing referred to for a lease:
//        └───────────────────── REGISTERED ◄── REGISTER, ends ◄┘
//
// A reference is granted where the owner has answered, what its answer names has been applied here,
// and the lease stands; in global_ref also the owner has confirmed it. It is worth something only
// as long as valid() says so, which is to be asked *after* the bytes were read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/gc/settings.h"
#include "lib/oplog/message.h"

namespace radixmesh {

// A reference that was granted; 0 is none.
using ReferenceId = std::uint64_t;

class Registrations {
 public:
  explicit Registrations(GcSettings settings) : settings_(settings) {}

  enum class Grant : std::uint8_t {
    granted,
    wait,     // an answer of the owner, or ops of it, are on their way
    refused,  // the owner grants no references, no longer has the page, or is silent
  };
  struct Asked {
    Grant grant = Grant::refused;
    ReferenceId reference = 0;
  };
  // Refers to a page of the owner's, of which this node has applied (epoch, applied). The page is
  // live there and not retiring.
  Asked refer(TimePoint now, NodeId owner, Epoch epoch, Seq applied, Anchor page);
  // Whether asking again would still have to wait. `applied` as above.
  bool waits(TimePoint now, NodeId owner, Seq applied, Anchor page) const;
  void release(TimePoint now, ReferenceId reference);
  // Whether what was read under the reference until now may be used.
  bool valid(TimePoint now, ReferenceId reference) const;
  // What it refers to; nothing where it is no more.
  struct Reference {
    NodeId owner;
    std::uint64_t nonce = 0;
    Anchor page;
  };
  std::optional<Reference> find(ReferenceId reference) const;

  void on_registered(TimePoint now, NodeId owner, Epoch epoch, const RegisteredMessage& answer);
  // The owner began another life, or is forgotten: nothing of it may be used.
  void drop(NodeId owner);
  // The references are void, but the owner may wait for what stood under them: it is told.
  void begin_anew(TimePoint now, NodeId owner);
  void drop_all() { owners_.clear(), references_.clear(); }
  // Something of the owner began to retire, or a reference to that was released: it is told soon.
  void tell_soon(NodeId owner);

  // What is to be sent now. The caller fills in `epoch`, `applied`, and of `pages_of` the blocks.
  std::vector<std::pair<NodeId, RegisterMessage>> due(TimePoint now);
  // The owner's pages that references stand on, in local_ref.
  std::vector<Anchor> pages_of(NodeId owner) const;
  TimePoint next_due() const;

  // The nonce and the stamp of what was said last to this owner; zeros where nothing was.
  std::pair<std::uint64_t, std::uint64_t> last_said(NodeId owner) const;

  // References by owner, for being shown; those that were granted and stand.
  std::map<NodeId, std::size_t> counts(TimePoint now) const;

 private:
  struct Page {
    std::uint32_t users = 0;
    // In global_ref:
    std::uint64_t version = 0;
    bool told = false;  // the owner is known to have it
    bool denied = false;
    TimePoint wanted_until;  // by someone who waits for it
    bool confirmed() const { return told && version % 2 == 1; }
  };
  struct Owner {
    std::uint64_t nonce = 0;
    Epoch epoch;
    std::uint64_t stamp = 0, answered = 0;
    std::optional<Seq> position;
    // Of who waits for an answer, or for the ops up to the position; nothing: nobody waited since
    // it last answered.
    std::optional<TimePoint> patience_ends;
    GcMode mode = GcMode::off;
    TimePoint valid_until = TimePoint::min();
    struct {
      TimePoint next;                // a renewal, or once more what was not answered
      TimePoint statement = kNever;  // what is new is to be said by then, whatever is answered
      TimePoint last = TimePoint::min();
    } sending;
    TimePoint used;                // last: something was referred to, or was to be
    TimePoint next_look = kNever;  // at pages that someone waited for
    bool ending = false;
    std::map<Anchor, Page> pages;
    struct {
      std::uint64_t last = 0;
      std::set<Anchor> untold;  // pages whose version the owner is not known to have
    } versions;
  };

  Owner& begin(TimePoint now, NodeId id, Epoch epoch);
  Asked wait(TimePoint now, Owner& owner) const;
  void release_page(TimePoint now, Owner& owner, std::map<Anchor, Page>::iterator at);
  static void raise(Owner& owner, Anchor at, Page& page, bool odd);
  void give_up_unwanted(TimePoint now, Owner& owner);
  bool look_after(TimePoint now, NodeId id, Owner& owner);

  GcSettings settings_;
  std::map<NodeId, Owner> owners_;
  std::map<NodeId, std::pair<std::uint64_t, std::uint64_t>> said_;  // also of what has ended
  std::map<ReferenceId, Reference> references_;
  ReferenceId last_reference_ = 0;
  std::uint64_t last_nonce_ = 0;
};

}  // namespace radixmesh
