// Which address each link is connected to, as names resolve late, otherwise or never.
#include "lib/mesh/dialer.h"

#include <doctest/doctest.h>

#include <sstream>

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

// A dialer whose acts read as words: "look up a", "connect 1.1.1.1:7", "end 1.1.1.1:7".
class Desk {
 public:
  static LinkKey link(std::uint64_t peer, LinkKind kind = LinkKind::control) {
    return {NodeId{peer}, kind};
  }
  std::string want(std::uint64_t peer, const std::string& addr) {
    dialer.want(now, link(peer), addr);
    return acts();
  }
  std::string answered(const std::string& host, const std::vector<std::string>& numbers) {
    dialer.answered(now, host, numbers);
    return acts();
  }
  std::string up(std::uint64_t peer, bool is_up = true) {
    dialer.set_up(now, link(peer), is_up);
    return acts();
  }
  std::string after(Duration time) {
    now += time;
    return acts();
  }
  std::string acts() {
    dialer.step(now);
    std::ostringstream out;
    const char* comma = "";
    for (const Dialer::Act& act : dialer.take_acts()) {
      out << std::exchange(comma, ", ");
      if (const auto* look_up = std::get_if<Dialer::LookUp>(&act))
        out << "look up " << look_up->host;
      if (const auto* to = std::get_if<Dialer::Connect>(&act)) out << "connect " << to->endpoint;
      if (const auto* gone = std::get_if<Dialer::Disconnect>(&act)) out << "end " << gone->endpoint;
    }
    return out.str();
  }
  Dialer dialer;
  TimePoint now{1h};
};

TEST_CASE("a number is connected to at once, and never looked up") {
  Desk desk;
  CHECK(desk.want(1, "1.1.1.1:7") == "connect 1.1.1.1:7");
  CHECK(desk.want(2, "[::1]:7") == "connect [::1]:7");
  CHECK(desk.after(9s) == "");
  CHECK(desk.dialer.trouble(Desk::link(1)) == LinkTrouble::not_connected);
  // libzmq tries again by itself, but not after all that may have happened there.
  CHECK(desk.after(3s) == "end 1.1.1.1:7, connect 1.1.1.1:7, end [::1]:7, connect [::1]:7");
  CHECK(desk.after(9s) == "");
}

TEST_CASE("a name is looked up once for all links that have it") {
  Desk desk;
  CHECK(desk.want(1, "a:7") == "look up a");
  CHECK(desk.want(2, "a:8") == "");
  CHECK(desk.answered("a", {"1.1.1.1"}) == "connect 1.1.1.1:7, connect 1.1.1.1:8");
}

TEST_CASE("all addresses of a name are tried in turn, then it is asked again") {
  Desk desk;
  desk.want(1, "a:7");
  CHECK(desk.answered("a", {"[::1]", "1.1.1.1"}) == "connect [::1]:7");
  CHECK(desk.after(2s) == "end [::1]:7, connect 1.1.1.1:7");
  CHECK(desk.after(2s) == "end 1.1.1.1:7, connect [::1]:7");
  CHECK(desk.after(1s) == "look up a");
  CHECK(desk.answered("a", {"2.2.2.2"}) == "end [::1]:7, connect 2.2.2.2:7");
}

TEST_CASE("a link that is up is left alone, whatever its name stands for meanwhile") {
  Desk desk;
  desk.want(1, "a:7");
  desk.answered("a", {"1.1.1.1"});
  CHECK(desk.up(1) == "");
  desk.dialer.ask_again(desk.now);
  CHECK(desk.acts() == "look up a");
  CHECK(desk.answered("a", {"2.2.2.2"}) == "");
  CHECK(desk.after(600s) == "");
  SUBCASE("once it breaks, the name is asked, and the new address taken") {
    CHECK(desk.up(1, false) == "look up a");
    CHECK(desk.answered("a", {"2.2.2.2"}) == "end 1.1.1.1:7, connect 2.2.2.2:7");
  }
}

TEST_CASE("a name that nobody answers is asked with pauses that grow up to half a minute") {
  Desk desk;
  desk.want(1, "a:7");
  int asked = 0;
  for (int second = 0; second < 300; ++second) {
    if (desk.answered("a", {}) == "look up a") ++asked;
    if (desk.after(1s) == "look up a") ++asked;
  }
  CHECK(asked >= 10);
  CHECK(asked <= 16);
  CHECK(desk.dialer.trouble(Desk::link(1)) == LinkTrouble::name_unknown);
}

TEST_CASE("an answer that finds nothing takes no address away") {
  Desk desk;
  desk.want(1, "a:7");
  desk.answered("a", {"1.1.1.1"});
  desk.up(1);
  desk.up(1, false);
  CHECK(desk.answered("a", {}) == "");
  CHECK(desk.dialer.trouble(Desk::link(1)) == LinkTrouble::name_unknown);
  CHECK(desk.up(1) == "");
  CHECK(desk.dialer.trouble(Desk::link(1)) == LinkTrouble::none);
}

TEST_CASE("what could not be connected for want of a descriptor is tried again") {
  Desk desk;
  desk.want(1, "1.1.1.1:7");
  desk.dialer.could_not_connect(desk.now, Desk::link(1));
  CHECK(desk.dialer.trouble(Desk::link(1)) == LinkTrouble::no_descriptors);
  CHECK(desk.after(1s) == "connect 1.1.1.1:7");
}

TEST_CASE("who answers is another: the next address, and the name again") {
  Desk desk;
  desk.want(1, "a:7");
  desk.answered("a", {"1.1.1.1", "2.2.2.2"});
  desk.up(1);
  desk.dialer.redial(desk.now, Desk::link(1));
  CHECK(desk.acts() == "end 1.1.1.1:7, connect 2.2.2.2:7, look up a");
}

TEST_CASE("a connection to another is given up for a new address, though it stands") {
  Desk desk;
  desk.want(1, "a:7");
  desk.answered("a", {"1.1.1.1"});
  desk.up(1);
  desk.dialer.redial(desk.now, Desk::link(1));
  CHECK(desk.acts() == "look up a");
  CHECK(desk.up(1) == "");  // it still stands when the answer comes
  CHECK(desk.answered("a", {"2.2.2.2"}) == "end 1.1.1.1:7, connect 2.2.2.2:7");
}

TEST_CASE("what is dropped is ended, and an answer that comes for it finds nobody") {
  Desk desk;
  desk.want(1, "a:7");
  desk.dialer.drop(Desk::link(1));
  CHECK(desk.answered("a", {"1.1.1.1"}) == "");
  desk.want(1, "1.1.1.1:7");
  desk.dialer.drop(Desk::link(1));
  CHECK(desk.acts() == "end 1.1.1.1:7");
  CHECK(desk.after(600s) == "");
  CHECK(desk.dialer.next_due() == kNever);
}

}  // namespace
}  // namespace radixmesh
