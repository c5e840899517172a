// The readers that are registered at this node, the owner: who may refer to its pages, and what
// each of them said last.
//
// A reader says: as of your op `applied` I refer to none of your pages that retire but these. That
// stays true of every RETIRE up to there, because who applied one grants no new reference. So the
// agreement to a RETIRE is asked of a set of sessions, and a session is one registration of one
// life of a reader; nothing is counted.
//
// Where references are told to the owner (global_ref), a session has a register for each page that
// the reader refers to, and the owner keeps that page locked.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/oplog/message.h"
#include "lib/tree/local_cache.h"
#include "lib/tree/relation.h"

namespace radixmesh {

// A page that this node has retired, in its op `seq`.
struct RetiredPage {
  Anchor first;
  Seq seq;
  std::uint64_t tokens = 0;
};

// Which registration of which life of a reader, and the last thing that it said under it.
struct ReaderWord {
  Epoch life;
  std::uint64_t nonce = 0, stamp = 0;
  friend auto operator<=>(const ReaderWord&, const ReaderWord&) = default;
};

struct ReaderSession {
  TimePoint since, expires;
  Epoch epoch;           // of this node, that it was opened in
  Seq applied;           // as the reader said last:
  bool complete = true;  // `blocks` is all
  bool is_over = false;  // the reader began another life: it agrees to nothing, and soon lapses
  std::vector<Anchor> blocks;  // retiring pages that it refers to
  struct Register {
    std::uint64_t version = 0;
    LockedPath path;
  };
  std::map<Anchor, Register> registers;  // the odd ones
};

class ReaderSessions {
 public:
  // Whether what a reader says is new, the last again, or overtaken by something later; what is new
  // is remembered, also beyond the end of the session: what comes late begins none. A new
  // registration is one that ends the one before.
  enum class Verdict : std::uint8_t { registers, says_more, again, outdated };
  Verdict judge(NodeId reader, const ReaderWord& word);

  // The nonce and the stamp of what a reader said last; and that it never said so, but this.
  std::pair<std::uint64_t, std::uint64_t> last_said(NodeId reader) const {
    const auto found = last_.find(reader);
    if (found == last_.end()) return {0, 0};
    return {found->second.nonce, found->second.stamp};
  }
  void believe(NodeId reader, const ReaderWord& word) { last_[reader] = word; }

  bool empty() const { return sessions_.empty(); }
  const std::map<NodeId, ReaderSession>& all() const { return sessions_; }
  ReaderSession* find(NodeId reader);
  // Until when it may refer to something here.
  TimePoint refers_until(NodeId reader) const {
    const auto found = sessions_.find(reader);
    return found != sessions_.end() ? found->second.expires : TimePoint::min();
  }
  ReaderSession& open(NodeId reader) { return sessions_[reader]; }
  void erase(NodeId reader) { sessions_.erase(reader); }
  void forget(NodeId reader) { erase(reader), last_.erase(reader); }

  // Which of these pages some registered reader refers to, as it said last.
  std::vector<bool> blocked(const Relation& relation, const std::vector<RetiredPage>& pages) const;
  // Which of these pages no registered reader refers to any more, as all of them have said since
  // they were retired. `epoch` is this node's.
  std::vector<bool> agreed(const Relation& relation, const std::vector<RetiredPage>& pages,
                           Epoch epoch) const;

 private:
  std::map<NodeId, ReaderSession> sessions_;
  std::map<NodeId, ReaderWord> last_;
};

}  // namespace radixmesh
