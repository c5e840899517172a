#include "sidecar/links.h"

#include <algorithm>
#include <set>

#include "lib/base/host.h"
#include "sidecar/own_numbers.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

// Between two looks at which links are up.
constexpr Duration kLookPause = 250ms;

}  // namespace

void Links::add_peer(TimePoint now, NodeId peer, const std::string& addr) {
  transport_.add_peer(peer);
  dialer_.want(now, {peer, LinkKind::control}, addr);
  act(now);
}

void Links::set_bulk_addr(TimePoint now, NodeId peer, const std::string& addr) {
  dialer_.want(now, {peer, LinkKind::bulk}, addr);
  act(now);
}

void Links::subscribe(TimePoint now, const SubscribeTo& link) {
  transport_.set_watch_only(link.peer, link.watch_only);
  dialer_.want(now, {link.peer, LinkKind::publish}, link.publish_addr);
  act(now);
}

void Links::unsubscribe(NodeId peer) {
  dialer_.drop({peer, LinkKind::publish});
  told_.erase({peer, LinkKind::publish});
  act({});
}

void Links::drop_peer(NodeId peer) {
  for (const LinkKind kind : kLinkKinds) {
    dialer_.drop({peer, kind});
    told_.erase({peer, kind});
  }
  act({});
  transport_.drop_peer(peer);
}

void Links::redial(TimePoint now, NodeId peer) {
  dialer_.redial(now, {peer, LinkKind::control});
  act(now);
}

void Links::find_seeds() {
  std::set<std::string> hosts;
  for (const std::string& seed : seeds_) hosts.emplace(host_of(seed));
  for (const std::string& host : hosts) {
    is_number(host) ? tell_seeds(host, {host}, true) : resolver_.ask(host);
  }
}

void Links::tell_seeds(const std::string& host, const std::vector<std::string>& numbers,
                       bool is_known) {
  const std::set<std::string> own = own_numbers();
  for (const std::string& seed : seeds_) {
    if (host_of(seed) != host) continue;
    SeedsFound found{seed, {}, {}, is_known};
    for (const std::string& number : numbers) {
      found.addresses.push_back(number + ":" + std::string(port_of(seed)));
      if (own.contains(number)) found.here.push_back(found.addresses.back());
    }
    report_(found);
  }
}

void Links::ask_again(TimePoint now) {
  dialer_.ask_again(now);
  find_seeds();
}

void Links::step(TimePoint now) {
  for (const Resolver::Answer& answer : resolver_.take()) {
    dialer_.answered(now, answer.host, answer.numbers);
    tell_seeds(answer.host, answer.numbers, answer.is_known);
  }
  if (now >= next_look_) look_whether_up(now);
  dialer_.step(now);
  act(now);
}

void Links::look_whether_up(TimePoint now) {
  next_look_ = now + kLookPause;
  for (const LinkKey& link : dialer_.links()) {
    const auto endpoint = endpoints_.find(link);
    const bool up = endpoint != endpoints_.end() && transport_.is_up(link, endpoint->second);
    if (up && !dialer_.is_up(link)) transport_.came_up();
    dialer_.set_up(now, link, up);
    const LinkTrouble trouble = dialer_.trouble(link);
    const auto [told, is_new] = told_.try_emplace(link, LinkTrouble::none);
    if (told->second == trouble && !is_new) continue;
    told->second = trouble;
    report_(LinkReport{link, trouble});
  }
}

void Links::act(TimePoint now) {
  for (const Dialer::Act& each : dialer_.take_acts()) {
    if (const auto* look_up = std::get_if<Dialer::LookUp>(&each)) {
      resolver_.ask(look_up->host);
    } else if (const auto* connect = std::get_if<Dialer::Connect>(&each)) {
      endpoints_[connect->link] = connect->endpoint;
      if (transport_.connect(connect->link, connect->endpoint)) continue;
      endpoints_.erase(connect->link);
      dialer_.could_not_connect(now, connect->link);
    } else if (const auto* ended = std::get_if<Dialer::Disconnect>(&each)) {
      endpoints_.erase(ended->link);
      transport_.disconnect(ended->link, ended->endpoint);
    }
  }
}

}  // namespace radixmesh
