#include "lib/mesh/news.h"

#include <cmath>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {

MemberNews news_of(const Member& member) {
  return MemberNews{member.addr,  member.rank,   member.role,
                    member.epoch, member.refute, member.state};
}

void News::spread(TimePoint now, MemberNews news) {
  std::erase_if(items_, [&](const Item& each) { return each.news.addr == news.addr; });
  const double digits = std::ceil(std::log10(static_cast<double>(roster_.size()) + 1));
  items_.push_front({std::move(news), 4 * static_cast<int>(digits)});
  if (items_.size() > limits::members_max) items_.pop_back();
  pace_.by(now);
}

std::vector<MemberNews> News::take() {
  std::vector<MemberNews> out;
  for (Item& each : items_) {
    if (out.size() == limits::news_per_message_max) break;
    out.push_back(each.news);
    --each.left;
  }
  std::erase_if(items_, [](const Item& each) { return each.left <= 0; });
  return out;
}

}  // namespace radixmesh
