#include "tests/sim/dials.h"

#include <algorithm>

#include "lib/base/host.h"
#include "lib/base/limits.h"

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLookPause = 100ms;
constexpr Duration kAnswer = 2ms, kSlowAnswer = 3s;

}  // namespace

void Dials::started(std::size_t index, const std::string& addr) {
  Node& node = nodes_[index];
  const bool moves = node.number.empty() || chance(faults.moves);
  if (moves) node.number = "10.0.0." + std::to_string(++last_number_);
  node.host = host_of(addr);
  node.runs = true;
  ++node.life;
}

void Dials::stopped(std::size_t index) {
  Node& node = nodes_[index];
  node.runs = false;
  node.dialer = Dialer();
  node.endpoints.clear();
  node.lives.clear();
  node.told.clear();
}

void Dials::want(TimePoint now, std::size_t index, LinkKey link, const std::string& addr) {
  nodes_[index].dialer.want(now, link, addr);
  act(now, index);
}

void Dials::drop(std::size_t index, LinkKey link) {
  Node& node = nodes_[index];
  node.dialer.drop(link);
  node.told.erase(link);
  act({}, index);
}

void Dials::redial(TimePoint now, std::size_t index, LinkKey link) {
  nodes_[index].dialer.redial(now, link);
  act(now, index);
}

void Dials::find_seed(TimePoint now, std::size_t index, const std::string& seed) {
  look_up(now, {index, std::string(host_of(seed)), seed, true});
}

void Dials::look_up(TimePoint now, Answer question) {
  Duration wait = chance(faults.slow) ? kSlowAnswer : kAnswer;
  question.known = !chance(faults.failing);
  if (chance(faults.silent)) {
    wait = limits::name_lookup_max;
    question.known = false;
  }
  next_look_ = std::min(next_look_, now + wait);
  answers_.emplace(now + wait, std::move(question));
}

// In an order of its own each time; the dead ones are nobody's.
std::vector<std::string> Dials::numbers_of(const std::string& host) {
  std::vector<std::string> numbers;
  for (const auto& [index, node] : nodes_) {
    if (node.host == host) numbers.push_back(node.number);
  }
  if (faults.has_dead && !numbers.empty()) numbers.insert(numbers.end(), {"10.9.9.1", "10.9.9.2"});
  std::ranges::shuffle(numbers, random_);
  return numbers;
}

void Dials::act(TimePoint now, std::size_t index) {
  Node& node = nodes_[index];
  for (const Dialer::Act& each : node.dialer.take_acts()) {
    if (const auto* asked = std::get_if<Dialer::LookUp>(&each)) {
      look_up(now, {index, asked->host, "", true});
    } else if (const auto* connect = std::get_if<Dialer::Connect>(&each)) {
      if (chance(faults.no_descriptors)) {
        node.dialer.could_not_connect(now, connect->link);
      } else {
        node.endpoints[connect->link] = connect->endpoint;
        node.lives.erase(connect->link);
      }
    } else if (const auto* ended = std::get_if<Dialer::Disconnect>(&each)) {
      node.endpoints.erase(ended->link);
      node.lives.erase(ended->link);
    }
  }
  next_look_ = std::min(next_look_, std::max(now, node.dialer.next_due()));
}

void Dials::tell(TimePoint now, const Answer& answer, std::vector<Told>& told) {
  Node& node = nodes_[answer.node];
  if (!node.runs) return;
  if (!answer.seed.empty()) {
    SeedsFound found{answer.seed, {}, {}, answer.known || random_() % 2 == 0};
    if (answer.known) found.addresses.push_back(answer.seed);
    told.push_back({answer.node, std::move(found)});
    return;
  }
  const auto numbers = answer.known ? numbers_of(answer.host) : std::vector<std::string>{};
  node.dialer.answered(now, answer.host, numbers);
}

const Dials::Node* Dials::at(const std::string& endpoint) const {
  for (const auto& [index, node] : nodes_) {
    if (node.runs && node.number == host_of(endpoint)) return &node;
  }
  return nullptr;
}

// A connection breaks with the process at its other end, and comes up as soon as one is there.
void Dials::look_whether_up(TimePoint now, std::size_t index, std::vector<Told>& told) {
  Node& node = nodes_[index];
  for (const LinkKey& link : node.dialer.links()) {
    const auto endpoint = node.endpoints.find(link);
    const Node* there = endpoint == node.endpoints.end() ? nullptr : at(endpoint->second);
    const auto [life, is_new] = node.lives.try_emplace(link, there != nullptr ? there->life : 0);
    const bool up = there != nullptr && life->second == there->life;
    if (!up) node.lives.erase(link);
    node.dialer.set_up(now, link, up);
    const LinkTrouble trouble = node.dialer.trouble(link);
    const auto [known, first] = node.told.try_emplace(link, LinkTrouble::none);
    if (known->second == trouble && !first) continue;
    known->second = trouble;
    told.push_back({index, LinkReport{link, trouble}});
  }
}

std::vector<Dials::Told> Dials::step(TimePoint now) {
  std::vector<Told> told;
  next_look_ = now + kLookPause;
  while (!answers_.empty() && answers_.begin()->first <= now) {
    tell(now, answers_.extract(answers_.begin()).mapped(), told);
  }
  for (auto& [index, node] : nodes_) {
    if (!node.runs) continue;
    look_whether_up(now, index, told);
    node.dialer.step(now);
    act(now, index);
  }
  if (!answers_.empty()) next_look_ = std::min(next_look_, answers_.begin()->first);
  next_look_ = std::max(next_look_, now + 1ms);
  return told;
}

}  // namespace radixmesh::sim
