// The protocols of collecting duplicates, in all their states: as they are nothing goes wrong and
// the slot can always still be freed; with any one guard removed something goes wrong.
#include <doctest/doctest.h>

#include "tests/model/global_ref.h"
#include "tests/model/hold.h"
#include "tests/model/local_ref.h"
#include "tests/model/owner_restart.h"
#include "tests/model/search.h"
#include "tests/model/two_owners.h"

namespace radixmesh::model {
namespace {

std::string story(const Found& found) {
  std::string text = found.violation + ":";
  for (const std::string& step : found.steps) text += "\n  " + step;
  return text;
}

void check_sound(const Found& found) {
  MESSAGE(found.states, " states");
  CHECK_MESSAGE(found.violation.empty(), story(found));
  CHECK(found.goal_stays_reachable);
}

void check_broken(const Found& found, std::string_view violation) {
  MESSAGE(found.steps.size(), " steps");
  CHECK_MESSAGE(found.violation == violation, story(found));
}

constexpr std::string_view kFreedUsed = "bytes of a freed slot were used";
constexpr std::string_view kLastFreed = "the last copy was freed";

TEST_CASE("local references: no freed slot is used, the last copy stays, and it can be freed") {
  for (int readers : {1, 2, 3, 4}) {
    CAPTURE(readers);
    check_sound(search(LocalRef(readers, Guard::none)));
  }
}

TEST_CASE("local references: every guard is needed") {
  const std::pair<Guard, std::string_view> guards[] = {
      {Guard::fence, kFreedUsed},          {Guard::registration, kFreedUsed},
      {Guard::position, kFreedUsed},       {Guard::check_after_read, kFreedUsed},
      {Guard::wait_for_lease, kFreedUsed}, {Guard::order, kFreedUsed},
      {Guard::generation, kFreedUsed},     {Guard::hold, kLastFreed}};
  for (const auto& [guard, violation] : guards) {
    CAPTURE(static_cast<int>(guard));
    check_broken(search(LocalRef(1, guard)), violation);
  }
}

TEST_CASE("local references: without the readers' word nothing is freed") {
  const Found found = search(LocalRef(1, Guard::statements));
  CHECK(found.violation.empty());
  CHECK(!found.goal_stays_reachable);
}

TEST_CASE("global references: no freed slot is used, and it can be freed") {
  for (int readers : {1, 2, 3}) {
    CAPTURE(readers);
    check_sound(search(GlobalRef(readers, GlobalGuard::none)));
  }
}

TEST_CASE("global references: every guard is needed") {
  for (GlobalGuard guard :
       {GlobalGuard::confirm, GlobalGuard::versions, GlobalGuard::check_after_read}) {
    CAPTURE(static_cast<int>(guard));
    check_broken(search(GlobalRef(1, guard)), kFreedUsed);
  }
}

TEST_CASE("holds: the last copy stays, and the other one can go") {
  check_sound(search(Hold(HoldGuard::none)));
}

TEST_CASE("holds: every guard is needed") {
  for (HoldGuard guard :
       {HoldGuard::held, HoldGuard::round, HoldGuard::lease, HoldGuard::end, HoldGuard::keep}) {
    CAPTURE(static_cast<int>(guard));
    check_broken(search(Hold(guard)), kLastFreed);
  }
}

TEST_CASE("another life of the owner: no freed slot is used, and it can be freed") {
  for (int readers : {1, 2}) {
    CAPTURE(readers);
    check_sound(search(OwnerRestart(readers, RestartGuard::none)));
  }
}

TEST_CASE("another life of the owner: every guard is needed") {
  for (RestartGuard guard : {RestartGuard::wait_after_restart, RestartGuard::life}) {
    CAPTURE(static_cast<int>(guard));
    check_broken(search(OwnerRestart(1, guard)), kFreedUsed);
  }
}

TEST_CASE("two owners: no round frees the last copy, whatever they believe of the ranks") {
  check_sound(search(TwoOwners(TwoOwners::Better::the_first, OwnersGuard::none)));
  check_sound(search(TwoOwners(TwoOwners::Better::the_other, OwnersGuard::none)));
}

TEST_CASE("two owners: every guard is needed") {
  using Better = TwoOwners::Better;
  const std::pair<Better, OwnersGuard> guards[] = {
      {Better::the_first, OwnersGuard::holds},
      {Better::the_other, OwnersGuard::holds},
      {Better::the_first, OwnersGuard::kept_from_evict},
      {Better::the_other, OwnersGuard::kept_by_round}};
  for (const auto& [better, guard] : guards) {
    CAPTURE(static_cast<int>(better));
    CAPTURE(static_cast<int>(guard));
    check_broken(search(TwoOwners(better, guard)), kLastFreed);
  }
}

}  // namespace
}  // namespace radixmesh::model
