#include "lib/gc/reader_sessions.h"

#include <algorithm>

#include "lib/base/planted.h"

namespace radixmesh {

ReaderSessions::Verdict ReaderSessions::judge(NodeId reader, const ReaderWord& word) {
  ReaderWord& last = last_[reader];
  if (word == last) return Verdict::again;
  if (word < last) return Verdict::outdated;
  const bool goes_on = word.life == last.life && word.nonce == last.nonce;
  last = word;
  return goes_on ? Verdict::says_more : Verdict::registers;
}

ReaderSession* ReaderSessions::find(NodeId reader) {
  const auto found = sessions_.find(reader);
  return found == sessions_.end() ? nullptr : &found->second;
}

std::vector<bool> ReaderSessions::blocked(const Relation& relation,
                                          const std::vector<RetiredPage>& pages) const {
  std::vector<Anchor> firsts, blocks;
  for (const RetiredPage& each : pages) firsts.push_back(each.first);
  for (const auto& [reader, session] : sessions_) {
    blocks.insert(blocks.end(), session.blocks.begin(), session.blocks.end());
  }
  return relation.covering(kSelf, firsts, blocks);
}

std::vector<bool> ReaderSessions::agreed(const Relation& relation,
                                         const std::vector<RetiredPage>& pages, Epoch epoch) const {
  // All must have applied it; what one refers to is blocked for all.
  Seq applied{~std::uint64_t{0}};
  for (const auto& [reader, session] : sessions_) {
    const bool counts = session.epoch == epoch && session.complete && !session.is_over;
    applied = std::min(applied, counts ? session.applied : Seq{});
  }
  const std::vector<bool> is_blocked = blocked(relation, pages);
  std::vector<bool> good(pages.size());
  for (std::size_t i = 0; i < good.size(); ++i) {
    good[i] = (!is_blocked[i] && pages[i].seq <= applied) || is_planted(PlantedFault::no_agreement);
  }
  return good;
}

}  // namespace radixmesh
