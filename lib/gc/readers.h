// This node as an owner that others refer to: who is registered, and what that keeps here. See
// reader_sessions.h for what they say.
#pragma once

#include <string>
#include <vector>

#include "lib/gc/gc_view.h"
#include "lib/gc/leases.h"
#include "lib/gc/reader_sessions.h"
#include "lib/gc/survey.h"
#include "lib/gc/wakeup.h"
#include "lib/oplog/own_stream.h"
#include "lib/oplog/post.h"
#include "lib/tree/picture.h"

namespace radixmesh {

class Readers {
 public:
  Readers(const GcSettings& settings, const Roster& roster, Picture& picture, const OwnStream& own,
          Survey& survey, Post& post, Outbox& out, Wakeup& wakeup)
      : settings_(settings),
        roster_(roster),
        picture_(picture),
        own_(own),
        survey_(survey),
        post_(post),
        out_(out),
        wakeup_(wakeup) {}

  const ReaderSessions& sessions() const { return sessions_; }
  // `lets_in`: new ones. Answers. True where the reader let go of a page that is a duplicate.
  bool on_register(TimePoint now, NodeId from, const RegisterMessage& said, bool lets_in);
  // Ends what stood, and forgets what it said.
  void forget(NodeId reader);
  void end_all();
  // Others say that the reader began another life. Its process may be the same, and not know that
  // it outgrew its epoch: what it refers to stands until its lease lapses, or it registers anew.
  void begin_anew(NodeId reader);
  // What it never said; by its own word its last was this.
  void believe(NodeId reader, const ReaderWord& word) { sessions_.believe(reader, word); }
  void expire(TimePoint now);
  TimePoint due() const;
  // While one is waited for, no round can end, and better holders would keep their copies for
  // nothing.
  bool is_one_silent(TimePoint now) const;
  // Addresses of those that have not agreed to all that retired up to here.
  void add_blocking(Seq last, std::vector<std::string>& addrs) const;
  // Whether each has said which of what retired up to here it refers to.
  bool all_have_heard(Seq last) const;
  void add_to(TimePoint now, GcCountsView& view) const;

 private:
  bool take_registers(ReaderSession& session, const std::vector<ReaderRegister>& said);
  void end(NodeId reader);
  bool may_expire(NodeId reader, const ReaderSession& session) const;

  const GcSettings& settings_;
  const Roster& roster_;
  Picture& picture_;
  const OwnStream& own_;
  Survey& survey_;
  Post& post_;
  Outbox& out_;
  Wakeup& wakeup_;
  ReaderSessions sessions_;
};

}  // namespace radixmesh
