#include "sidecar/links.h"

#include <algorithm>

#include "lib/base/host.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

// Between two looks at which links are up.
constexpr Duration kLookPause = 250ms;
// A member that starts, or is about to be called dead, has all connections or none by then.
constexpr Duration kLasting = 10s;

}  // namespace

void Links::add_peer(TimePoint now, NodeId peer, const std::string& addr) {
  transport_.add_peer(peer);
  want(now, {peer, LinkKind::control}, addr);
  act(now);
}

void Links::set_bulk_addr(TimePoint now, NodeId peer, const std::string& addr) {
  want(now, {peer, LinkKind::bulk}, addr);
  act(now);
}

void Links::subscribe(TimePoint now, const SubscribeTo& link) {
  transport_.set_watch_only(link.peer, link.watch_only);
  want(now, {link.peer, LinkKind::publish}, link.publish_addr);
  act(now);
}

void Links::unsubscribe(NodeId peer) {
  forget({peer, LinkKind::publish});
  act({});
}

void Links::drop_peer(NodeId peer) {
  for (const LinkKind kind : kLinkKinds) forget({peer, kind});
  act({});
  transport_.drop_peer(peer);
}

void Links::want(TimePoint now, LinkKey link, const std::string& addr) {
  addrs_[link] = addr;
  dialer_.want(now, link, addr);
}

void Links::forget(LinkKey link) {
  dialer_.drop(link);
  told_.erase(link);
  addrs_.erase(link);
  missing_.erase(link);
}

void Links::redial(TimePoint now, NodeId peer) {
  dialer_.redial(now, {peer, LinkKind::control});
  act(now);
}

void Links::find_seeds() {
  for (const std::string& seed : seeds_) {
    const std::string host(host_of(seed));
    is_number(host) ? tell_seeds(host, {host}) : resolver_.ask(host);
  }
}

void Links::tell_seeds(const std::string& host, const std::vector<std::string>& numbers) {
  for (const std::string& seed : seeds_) {
    if (host_of(seed) != host) continue;
    SeedsFound found{seed, {}};
    for (const std::string& number : numbers) {
      found.addresses.push_back(number + ":" + std::string(port_of(seed)));
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
    tell_seeds(answer.host, answer.numbers);
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
    dialer_.set_up(now, link, up);
    const LinkTrouble trouble = dialer_.trouble(link);
    complain_of(now, link, up ? LinkTrouble::none : trouble);
    const auto [told, is_new] = told_.try_emplace(link, LinkTrouble::none);
    if (told->second == trouble && !is_new) continue;
    told->second = trouble;
    report_(LinkReport{link, trouble});
  }
}

void Links::complain_of(TimePoint now, LinkKey link, LinkTrouble trouble) {
  const LinkKey control{link.peer, LinkKind::control};
  if (link.kind == LinkKind::control || !addrs_.contains(control)) return;
  const Lasting what{addrs_.at(control), addrs_.at(link), link.kind, trouble};
  if (trouble == LinkTrouble::none || !dialer_.is_up(control)) {
    const auto before = missing_.extract(link);
    if (!before.empty() && before.mapped().told && trouble == LinkTrouble::none) complain_(what);
    return;
  }
  Missing& missing = missing_.try_emplace(link, Missing{now, false}).first->second;
  if (missing.told || now - missing.since < kLasting) return;
  missing.told = true;
  complain_(what);
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
