#include "lib/mesh/dialer.h"

#include <algorithm>
#include <utility>

#include "lib/base/host.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

// For a connection to come up, before the next address is tried: a lost SYN is sent again after one
// second.
constexpr Duration kTry = 1500ms;
// The same address again, with another socket.
constexpr Duration kTryAnew = 10s;
// Between two look-ups of a name that brought no connection; doubles up to the second.
constexpr Duration kAskPause = 1s, kAskPauseMax = 30s;
constexpr Duration kNoDescriptorPause = 1s;

}  // namespace

void Dialer::want(TimePoint now, LinkKey key, const std::string& addr) {
  const std::string host(host_of(addr)), port(port_of(addr));
  const auto found = links_.find(key);
  if (found != links_.end() && found->second.host == host && found->second.port == port) return;
  drop(key);
  if (addr.empty()) return;
  Link& link = links_[key];
  link.host = host;
  link.port = port;
  if (is_number(host)) {
    link.numbers = {host};
    return connect(now, key, link);
  }
  Name& name = names_[host];
  name.links.insert(key);
  if (!name.numbers.empty()) {
    link.numbers = name.numbers;
    return connect(now, key, link);
  }
  ask_soon(now, host);
}

void Dialer::drop(LinkKey key) {
  const auto found = links_.find(key);
  if (found == links_.end()) return;
  disconnect(key, found->second);
  const auto name = names_.find(found->second.host);
  if (name != names_.end()) {
    name->second.links.erase(key);
    // An answer that is under way finds nobody.
    if (name->second.links.empty()) names_.erase(name);
  }
  links_.erase(found);
}

void Dialer::redial(TimePoint now, LinkKey key) {
  const auto found = links_.find(key);
  if (found == links_.end()) return;
  found->second.up = false;
  found->second.doubted = true;
  next_address(now, key, found->second);
  ask_soon(now, found->second.host);
}

void Dialer::ask_again(TimePoint now) {
  for (auto& [host, name] : names_) {
    name.failures = 0;
    ask_soon(now, host);
  }
}

void Dialer::connect(TimePoint now, LinkKey key, Link& link) {
  if (link.numbers.empty()) return;
  const std::string to = link.numbers[link.at % link.numbers.size()] + ":" + link.port;
  link.move_on = now + kTry;
  look_by(link.move_on);
  // The socket itself tries that again, but for ever not after what was no answer of ours.
  if (link.to == to && now < link.since + kTryAnew) return;
  disconnect(key, link);
  link.to = to;
  link.since = now;
  acts_.push_back(Connect{key, to});
}

void Dialer::disconnect(LinkKey key, Link& link) {
  link.up = false;
  if (link.to) acts_.push_back(Disconnect{key, *std::exchange(link.to, std::nullopt)});
}

void Dialer::next_address(TimePoint now, LinkKey key, Link& link) {
  if (link.numbers.empty()) return;
  link.at = (link.at + 1) % link.numbers.size();
  connect(now, key, link);
  if (link.at == 0) ask_soon(now, link.host);  // all were tried
}

// At once where the name has not failed us; else after a pause. A number is nobody's name.
void Dialer::ask_soon(TimePoint now, const std::string& host) {
  const auto found = names_.find(host);
  if (found == names_.end() || found->second.asked) return;
  Name& name = found->second;
  const Duration pause = kAskPause * (1 << std::min(std::max(name.failures, 1u) - 1, 5u));
  const TimePoint at = name.failures == 0 ? now : now + std::min(pause, kAskPauseMax);
  name.ask_at = std::min(name.ask_at, at);
  look_by(name.ask_at);
}

void Dialer::answered(TimePoint now, const std::string& host,
                      const std::vector<std::string>& numbers) {
  const auto found = names_.find(host);
  if (found == names_.end()) return;
  Name& name = found->second;
  name.asked = false;
  const auto up = [this](LinkKey key) { return links_.at(key).up; };
  if (std::ranges::none_of(name.links, up)) ++name.failures;  // until a connection comes of it
  name.failed = numbers.empty();
  if (numbers.empty()) return ask_soon(now, host);
  name.numbers = numbers;
  for (const LinkKey& key : name.links) {
    Link& link = links_.at(key);
    const bool stays = link.up && !std::exchange(link.doubted, false);
    if (stays || link.numbers == numbers) continue;
    link.numbers = numbers;
    link.at = 0;
    connect(now, key, link);
  }
}

void Dialer::set_up(TimePoint now, LinkKey key, bool up) {
  const auto found = links_.find(key);
  if (found == links_.end() || found->second.up == up) return;
  Link& link = found->second;
  link.up = up;
  const auto name = names_.find(link.host);
  if (up) {
    link.move_on = kNever;
    if (name != names_.end()) name->second.failures = 0;
    return;
  }
  link.move_on = now + kTry;
  look_by(link.move_on);
  ask_soon(now, link.host);
}

void Dialer::could_not_connect(TimePoint now, LinkKey key) {
  const auto found = links_.find(key);
  if (found == links_.end()) return;
  found->second.to.reset();
  found->second.move_on = now + kNoDescriptorPause;
  look_by(found->second.move_on);
}

void Dialer::step(TimePoint now) {
  if (now < due_) return;
  due_ = kNever;
  for (auto& [host, name] : names_) {
    if (name.ask_at <= now) {
      name.asked = true;
      name.ask_at = kNever;
      acts_.push_back(LookUp{host});
    }
    look_by(name.ask_at);
  }
  for (auto& [key, link] : links_) {
    if (link.up) continue;
    if (link.move_on <= now) link.to ? next_address(now, key, link) : connect(now, key, link);
    look_by(link.move_on);
  }
}

LinkTrouble Dialer::trouble(LinkKey key) const {
  const auto found = links_.find(key);
  if (found == links_.end() || found->second.up) return LinkTrouble::none;
  const Link& link = found->second;
  const auto name = names_.find(link.host);
  if (name != names_.end() && name->second.failed) return LinkTrouble::name_unknown;
  if (link.to) return LinkTrouble::not_connected;
  return link.numbers.empty() ? LinkTrouble::name_unknown : LinkTrouble::no_descriptors;
}

std::vector<LinkKey> Dialer::links() const {
  std::vector<LinkKey> keys;
  for (const auto& [key, link] : links_) keys.push_back(key);
  return keys;
}

bool Dialer::is_up(LinkKey key) const {
  const auto found = links_.find(key);
  return found != links_.end() && found->second.up;
}

}  // namespace radixmesh
