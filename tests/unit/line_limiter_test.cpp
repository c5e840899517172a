// How many lines of the log may come of what others do.
#include "lib/base/line_limiter.h"

#include <doctest/doctest.h>

#include <functional>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

const TimePoint start{1h};

std::uint64_t passed_of(LineLimiter& limiter, TimePoint now, int lines, const std::string& event,
                        const std::function<std::string(int)>& node) {
  std::uint64_t passed = 0;
  for (int i = 0; i < lines; ++i) passed += limiter.offer(now, event, node(i)) ? 1 : 0;
  return passed;
}

TEST_CASE("of one event about one node so many lines a minute, and the rest is told") {
  LineLimiter limiter;
  CHECK(passed_of(limiter, start, 100, "refused", [](int) { return "a:1"; }) ==
        limits::log_lines_per_kind_max);
  CHECK(limiter.offer(start, "refused", "b:1"));
  CHECK(limiter.take_left_out(start + 59s).empty());
  const auto told = limiter.take_left_out(start + 60s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].event == "refused");
  CHECK(told[0].node == "a:1");
  CHECK(told[0].lines == 100 - limits::log_lines_per_kind_max);
  CHECK(limiter.offer(start + 60s, "refused", "a:1"));
}

TEST_CASE("invented names bring no more lines than one event may have") {
  LineLimiter limiter;
  CHECK(passed_of(limiter, start, 20'000, "refused", [](int i) {
          return "node:" + std::to_string(i);
        }) == limits::log_lines_per_event_max);
  CHECK(limiter.offer(start, "node_dead", "a:1"));
  std::uint64_t left_out = 0;
  for (const auto& each : limiter.take_left_out(start + 60s)) left_out += each.lines;
  CHECK(left_out == 20'000 - limits::log_lines_per_event_max);
}

TEST_CASE("all events together have a bound, and few lines tell what it left out") {
  LineLimiter limiter;
  std::uint64_t passed = 0;
  for (int event = 0; event < 100; ++event) {
    passed += passed_of(limiter, start, 100, "event" + std::to_string(event),
                        [](int i) { return std::to_string(i); });
  }
  CHECK(passed == limits::log_lines_per_minute_max);
  CHECK(limiter.take_left_out(start + 60s).size() <= 11);
}

}  // namespace
}  // namespace radixmesh
