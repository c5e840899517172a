// Membership news on their way out: each piggybacks on a number of HEADs and heartbeats that grows
// with the logarithm of the mesh, so that all hear of it though some messages are lost. What is
// missed all the same, the comparison of views mends.
#pragma once

#include <deque>
#include <vector>

#include "lib/members/roster.h"
#include "lib/oplog/head_pace.h"
#include "lib/oplog/message.h"

namespace radixmesh {

// What this node knows of a member, as it is told.
MemberNews news_of(const Member& member);

class News {
 public:
  News(const Roster& roster, HeadPace& pace) : roster_(roster), pace_(pace) {}

  // Told with the next HEADs and heartbeats; the first goes out at once. Takes the place of what
  // was to be told of the same member.
  void spread(TimePoint now, MemberNews news);
  void spread(TimePoint now, const Member& member) { spread(now, news_of(member)); }
  // For one message: the latest first; what was told often enough goes.
  std::vector<MemberNews> take();

 private:
  struct Item {
    MemberNews news;
    int left;  // messages
  };
  const Roster& roster_;
  HeadPace& pace_;
  std::deque<Item> items_;
};

}  // namespace radixmesh
