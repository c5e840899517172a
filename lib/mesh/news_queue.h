// Membership news on their way out: each piggybacks on a number of HEADs and heartbeats that grows
// with the logarithm of the mesh, so that all hear of it though some messages are lost. What is
// missed all the same, the comparison of views mends.
#pragma once

#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include "lib/base/limits.h"
#include "lib/oplog/message.h"

namespace radixmesh {

class NewsQueue {
 public:
  // Takes the place of what was to be told of the same member.
  void add(MemberNews news, std::size_t members) {
    std::erase_if(items_, [&](const Item& each) { return each.news.addr == news.addr; });
    const double digits = std::ceil(std::log10(static_cast<double>(members) + 1));
    items_.push_front({std::move(news), 4 * static_cast<int>(digits)});
    if (items_.size() > limits::members_max) items_.pop_back();
  }

  // The latest first; what was told often enough goes.
  std::vector<MemberNews> take() {
    std::vector<MemberNews> out;
    for (Item& each : items_) {
      if (out.size() == limits::news_per_message_max) break;
      out.push_back(each.news);
      --each.left;
    }
    std::erase_if(items_, [](const Item& each) { return each.left <= 0; });
    return out;
  }

 private:
  struct Item {
    MemberNews news;
    int left;  // messages
  };
  std::deque<Item> items_;
};

}  // namespace radixmesh
