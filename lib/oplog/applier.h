// Carries out ops of others on the entries of their origin, and tells the donor what changed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "lib/oplog/donor.h"
#include "lib/oplog/origin.h"
#include "lib/tree/picture.h"

namespace radixmesh {

class Applier {
 public:
  Applier(Picture& picture, Donor& donor, Outbox& out)
      : picture_(picture), donor_(donor), out_(out) {}

  // How many tokens that concerned. Nothing if the op does not fit the origin's entries, or there
  // is no room; then nothing has changed.
  std::optional<std::uint64_t> apply(Origin& origin, const Message& op);
  // What the origin held goes by and by, and answers do not know of it any more.
  void hold_nothing(Origin& origin);

 private:
  std::optional<std::uint64_t> insert(Origin& origin, Seq seq, const InsertOp& op);
  std::optional<std::uint64_t> remove(Origin& origin, const DeleteOp& op);
  std::optional<std::uint64_t> mark(const Origin& origin, std::span<const Anchor> firsts,
                                    bool retiring);

  Picture& picture_;
  Donor& donor_;
  Outbox& out_;
};

}  // namespace radixmesh
