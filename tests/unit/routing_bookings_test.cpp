// What nodes are promised: bookings, what several routers tell each other, who dies, and what that
// says of how busy a node is.
#include <doctest/doctest.h>

#include <set>

#include "tests/unit/routing_fleet.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a booking counts until it is done, and then no more") {
  TestRouter router;
  Fleet fleet{P, D};
  const Routed routed = router.ask(fleet, tokens_from(0, 96), true);
  REQUIRE(routed.booking);
  CHECK(router.traffic().find(fleet.id(0))->promised() == Promise{1, 1, 96, 0});
  CHECK(router.traffic().find(fleet.id(1))->promised() == Promise{1, 0, 0, 96});
  CHECK(router.prefill_done(router.now, *routed.booking, 32));
  CHECK(!router.prefill_done(router.now, *routed.booking, 32));
  CHECK(router.traffic().find(fleet.id(0))->promised().is_zero());
  CHECK(router.traffic().find(fleet.id(0))->hits.actual_tokens == 32);
  CHECK(router.finish(router.now, *routed.booking));
  CHECK(!router.finish(router.now, *routed.booking));
  CHECK(router.traffic().find(fleet.id(1))->promised().is_zero());
}

TEST_CASE("a booking that nobody ends expires, its prompt before the rest") {
  TestRouter router;
  Fleet fleet{U};
  router.ask(fleet, tokens_from(0, 96), true);
  router.now += 20s;
  router.expire(router.now);
  CHECK(router.traffic().find(fleet.id(0))->promised() == Promise{1, 0, 0, 96});
  router.now += 5min;
  router.expire(router.now);
  CHECK(router.traffic().find(fleet.id(0))->promised().is_zero());
  CHECK(router.bookings_expired() == 2);
  CHECK(router.bookings() == 0);
}

TEST_CASE("how busy a node has been is the work that it was given, told that it is done or not") {
  TestRouter router;
  Fleet fleet{U};
  const auto busy = [&] { return router.ask(fleet, tokens_from(0, 16)).candidates[0].busy; };
  CHECK(busy() == 0);
  // 3 s of work at the rate that is configured.
  const auto booked = router.ask(fleet, tokens_from(1000, 30'000), true).booking;
  CHECK(busy() == doctest::Approx(3.0 / 60));
  router.prefill_done(router.now, *booked, std::nullopt);
  CHECK(busy() == doctest::Approx(3.0 / 60));
  router.now += std::chrono::seconds(60);
  CHECK(busy() == doctest::Approx(1.5 / 60));
  // Each half a second one of 0.2 s, and nobody ever says what became of it.
  for (int i = 0; i < 2000; ++i) {
    router.ask(fleet, tokens_from(1'000'000 + 4096 * static_cast<std::uint32_t>(i), 2000), true);
    router.now += std::chrono::milliseconds(500);
  }
  CHECK(busy() == doctest::Approx(0.4).epsilon(0.05));
  router.ask(fleet, tokens_from(1'000, 1'000'000), true);
  CHECK(busy() == 1);
  // However much another one says that it gave: once it is silent that counts no longer than else.
  const Router::PromiseRow row{fleet.id(0), {1, 1, std::uint64_t{1} << 60, 0}};
  router.note_promises(router.now, NodeId{7}, Epoch{1}, 1, std::span(&row, 1));
  router.now += std::chrono::minutes(10);
  CHECK(busy() < 0.1);
}

TEST_CASE("lots are drawn as soon as another router has something under way") {
  TestRouter here, there;
  Fleet fleet{U, U, U};
  fleet.with_depths({512, 512, 512});
  const auto tokens = tokens_from(0, 4096);
  CHECK(here.ask(fleet, tokens).choice.near_equals == 0);
  Fleet elsewhere{U, U, U, U};
  elsewhere.nodes.erase(elsewhere.nodes.begin(), elsewhere.nodes.begin() + 3);
  const auto booked = there.ask(elsewhere, tokens, true).booking;
  there.tell(here, NodeId{7});
  CHECK(here.ask(fleet, tokens).choice.near_equals == 2);
  there.finish(there.now, *booked);
  there.tell(here, NodeId{7});
  CHECK(here.ask(fleet, tokens).choice.near_equals == 0);
}

TEST_CASE("what is booked and what waits is one work, though the engine names no tokens") {
  TestRouter router;
  Fleet fleet{U};
  fleet.with_depths({9'984});
  for (std::uint32_t i = 0; i < 4; ++i) {
    auto tokens = tokens_from(0, 10'496);
    tokens[9'990] = TokenId{77 + i};
    router.ask(fleet, tokens, true);
  }
  const auto queued = [&] {
    return router.ask(fleet, tokens_from(0, 10'000)).candidates[0].queued_tokens;
  };
  CHECK(queued() == 4 * 512);
  Load load = load_of(4, 0);
  load.queued_tokens.reset();
  router.report_load(router.now, fleet.id(0), load);
  CHECK(queued() == 4 * 512);
  // One more that no router knows of, which computes what others do here.
  load.waiting = 5;
  router.report_load(router.now, fleet.id(0), load);
  CHECK(queued() > 4 * 512);
  CHECK(queued() < 4 * 512 + 1000);
}

TEST_CASE("a booking without a prefill node ends as others do") {
  Bookings bookings(BookingId{1});
  Booking booking;
  booking.decode = NodeId{7};
  booking.decode_tokens = 5;
  booking.prefill_expires = kStart + std::chrono::seconds(1);
  booking.expires = kStart + std::chrono::seconds(9);
  const BookingId id = bookings.make(booking);
  std::set<NodeId> touched;
  CHECK(bookings.expire(kStart + std::chrono::seconds(2), touched) == 0);
  CHECK(bookings.finish(id));
  CHECK(bookings.next_expiry() == kNever);
  CHECK(bookings.expire(kStart + std::chrono::seconds(20), touched) == 0);
}

TEST_CASE("room is by what engines report, and by how long requests were seen to hold theirs") {
  TestRouter router;
  Fleet fleet{U};
  const auto ask = [&] { return router.ask(fleet, tokens_from(0, 4096)); };
  Load full = load_of(0, 0);
  full.kv_used = 9000;
  full.kv_total = 10'000;
  router.report_load(router.now, fleet.id(0), full);
  CHECK(ask().candidates[0].kv_free() == 1000);
  // 10 s are assumed.
  CHECK(ask().terms[0].room == doctest::Approx(3.44).epsilon(0.01));
  const auto booked = router.ask(fleet, tokens_from(0, 16), true).booking;
  router.now += std::chrono::seconds(9);
  router.finish(router.now, *booked);
  // What is held for 9.5 s comes back at 947 tokens a second.
  CHECK(ask().terms[0].room == doctest::Approx(3.268).epsilon(0.01));
}

TEST_CASE("D23: routers that tell each other their bookings spread what each alone would pile up") {
  Fleet fleet{U, U, U, U};
  std::vector<TestRouter> routers(4);
  std::vector<int> chosen(4);
  for (std::uint32_t i = 0; i < 64; ++i) {
    TestRouter& router = routers[i % 4];
    ++chosen[*router.ask(fleet, tokens_from(10'000 * i, 2048), true).choice.prefill];
    for (std::uint32_t other = 0; other < 4; ++other) {
      if (other != i % 4) router.tell(routers[other], NodeId{i % 4});
    }
  }
  CHECK(chosen == std::vector<int>{16, 16, 16, 16});
}

TEST_CASE("promises are absolute: told twice, late or not at all they count once; silent ones go") {
  Fleet fleet{U, U};
  TestRouter here, there;
  const Routed routed = there.ask(fleet, tokens_from(0, 96), true);
  const NodeId node = fleet.id(*routed.choice.prefill), id{7};
  there.tell(here, id);
  there.tell(here, id);
  CHECK(here.traffic().find(node)->promised() == Promise{1, 1, 96, 96});
  const auto late = there.told;
  const std::vector<Router::PromiseRow> old(there.promises().begin(), there.promises().end());
  there.finish(there.now, *routed.booking);
  there.tell(here, id);
  CHECK(here.traffic().find(node)->promised().is_zero());
  CHECK(!here.note_promises(here.now, id, Epoch{1}, late, old));
  CHECK(here.traffic().find(node)->promised().is_zero());
  // A router's death drops its bookings, and so does its silence.
  there.ask(fleet, tokens_from(0, 96), true);
  there.tell(here, id);
  here.forget(here.now, id);
  there.ask(fleet, tokens_from(500, 96), true);
  there.tell(here, id);
  here.now += 11s;
  here.expire(here.now);
  for (const RouteNode& each : fleet.nodes) {
    const Traffic* traffic = here.traffic().find(each.id);
    CHECK((traffic == nullptr || traffic->promised().is_zero()));
  }
}

TEST_CASE("a node that dies takes its bookings with it") {
  TestRouter router;
  Fleet fleet{P, D};
  const Routed routed = router.ask(fleet, tokens_from(0, 96), true);
  router.forget(router.now, fleet.id(0));
  CHECK(router.traffic().find(fleet.id(0)) == nullptr);
  CHECK(router.bookings() == 0);
  CHECK(router.traffic().find(fleet.id(1))->promised().is_zero());
  CHECK(!router.finish(router.now, *routed.booking));
}

TEST_CASE("a node's death ends what it had to do, and not what others go on with") {
  TestRouter router;
  Fleet fleet{P, D};
  const Routed decoding = router.ask(fleet, tokens_from(0, 96), true);
  router.prefill_done(router.now, *decoding.booking, std::nullopt);
  const Routed waiting = router.ask(fleet, tokens_from(500, 96), true);
  router.forget(router.now, fleet.id(0));
  CHECK(router.traffic().find(fleet.id(1))->promised() == Promise{1, 0, 0, 96});
  CHECK(!router.finish(router.now, *waiting.booking));
  CHECK(router.finish(router.now, *decoding.booking));
  // What ends does not bring back who is forgotten.
  CHECK(router.traffic().find(fleet.id(0)) == nullptr);
}

TEST_CASE("numbers of bookings of another life are unknown") {
  TestRouter router;
  Fleet fleet{U};
  const Routed routed = router.ask(fleet, tokens_from(0, 96), true);
  CHECK(routed.booking->value >= kLife.value);
  Router next({}, kPage, Epoch{kLife.value + 1'000'000}, 0, kStart);
  const auto tokens = tokens_from(0, 96);
  next.route(kStart, {CacheNamespace{}, tokens}, fleet.nodes, true);
  CHECK(!next.finish(kStart, *routed.booking));
  CHECK(next.bookings() == 1);
}

TEST_CASE("time that went by pays for what was promised before it, and not for what came after") {
  TestRouter router;
  Fleet fleet{U, U};
  Fleet first{U};
  router.ask(first, tokens_from(0, 16), true);
  router.now += 6s;
  std::vector<int> chosen(2);
  for (std::uint32_t i = 1; i <= 10; ++i) {
    ++chosen[*router.ask(fleet, tokens_from(10'000 * i, 5000), true).choice.prefill];
  }
  CHECK(chosen == std::vector<int>{5, 5});
}

TEST_CASE("a prompt whose time was up is told of all the same, once") {
  TestRouter router;
  Fleet fleet{U};
  const Routed routed = router.ask(fleet, tokens_from(0, 96), true);
  router.now += 20s;
  router.expire(router.now);
  CHECK(router.prefill_done(router.now, *routed.booking, 1'000'000));
  CHECK(router.traffic().find(fleet.id(0))->hits.actual_tokens == 96);
  CHECK(!router.prefill_done(router.now, *routed.booking, 0));
}

}  // namespace
}  // namespace radixmesh
