#include "tests/scenario/scenario.h"

#include <algorithm>

namespace radixmesh {
namespace {

Duration parse_duration(const std::string& text) {
  std::size_t digits = 0;
  const int number = std::stoi(text, &digits);
  const std::string unit = text.substr(digits);
  if (unit == "s") return std::chrono::seconds(number);
  if (unit == "ms") return std::chrono::milliseconds(number);
  throw std::invalid_argument("no time: " + text);
}

std::string show_depths(const MatchView& match) {
  std::string text;
  for (const auto& [addr, tokens] : match.depths) {
    text += (text.empty() ? "" : " ") + addr + "=" + std::to_string(tokens);
  }
  return text.empty() ? "nothing" : text;
}

std::string show_segments(const MatchView& match) {
  std::string text;
  for (const SegmentView& segment : match.segments) {
    text += (text.empty() ? "" : " ") + segment.addr + "[" + std::to_string(segment.begin) + "," +
            std::to_string(segment.end) + ")=";
    if (!segment.slots) {
      text += "?";
      continue;
    }
    const char* between = "";
    for (const SlotRun& run : segment.slots->runs()) {
      text += std::exchange(between, ",") + std::to_string(run.start.value) + "+" +
              std::to_string(run.count);
    }
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

sim::NamedMesh& Scenario::mesh() {
  if (mesh_) return *mesh_;
  mesh_.emplace(names_, common_);
  mesh_->network().adjust = [this](std::size_t node, ReplicaSettings& settings) {
    const std::string& addr = mesh_->network().addr(node);
    if (const auto found = page_size_of_.find(addr); found != page_size_of_.end()) {
      settings.page_size = found->second;
    }
    if (const auto found = protocol_of_.find(addr); found != protocol_of_.end()) {
      std::tie(settings.protocol_min, settings.protocol_max) = found->second;
    }
    if (const auto found = rank_of_.find(addr); found != rank_of_.end()) {
      settings.rank = found->second;
    }
  };
  return *mesh_;
}

void Scenario::set(const Words& words) {
  if (words.size() == 4 && words[2] == "page_size") {
    page_size_of_[words[1]] = static_cast<std::uint32_t>(std::stoul(words[3]));
  } else if (words.size() == 5 && words[2] == "protocol") {
    protocol_of_[words[1]] = {std::stoul(words[3]), std::stoul(words[4])};
  } else if (words.at(1) == "forget_after") {
    common_.timers.forget_after = parse_duration(words.at(2));
  } else if (words[1] == "former_kept") {
    common_.timers.former_kept = parse_duration(words.at(2));
  } else if (words[1] == "page_size") {
    common_.page_size = static_cast<std::uint32_t>(std::stoul(words.at(2)));
  } else if (words[1] == "log_bytes") {
    common_.own_log_bytes_max = common_.other_log_bytes_max = std::stoul(words.at(2));
  } else if (words[1] == "topology") {
    common_.topology = parse_topology(words.at(2)).value();
  } else {
    throw std::invalid_argument("no setting " + words[1]);
  }
}

void Scenario::set_fault(const std::string& name, double chance) {
  sim::Faults& faults = mesh().network().faults;
  if (name == "loss") {
    faults.loss = chance;
  } else if (name == "duplication") {
    faults.duplication = chance;
  } else if (name == "reordering") {
    faults.reordering = chance;
  } else {
    throw std::invalid_argument("no fault " + name);
  }
}

// Verbs about who is there. False if it is none of them.
bool Scenario::perform_on_membership(const Words& words) {
  const std::string& verb = words.at(0);
  if (verb == "start") {
    for (std::size_t i = 1; i < words.size(); ++i) mesh().start(words[i]);
  } else if (verb == "crash") {
    mesh().crash(words.at(1));
  } else if (verb == "join") {
    if (words.at(2) == "rank") {
      rank_of_[words[1]] = NodeRank{static_cast<std::uint32_t>(std::stoul(words.at(3)))};
    }
    mesh().join(words.at(1), words.back());
    names_.push_back(words[1]);
  } else if (verb == "drain") {
    mesh().drain(words.at(1));
  } else if (verb == "engine") {
    mesh().attach_engine(words.at(1), words.at(2));
  } else if (verb == "pause") {
    mesh().network().pause(mesh().index(words.at(1)), parse_duration(words.at(2)));
  } else if (verb == "slow") {
    mesh().network().set_slowness(mesh().index(words.at(1)), parse_duration(words.at(2)));
  } else if (verb == "partition") {
    const auto bar = std::ranges::find(words, "|");
    for (auto left = words.begin() + 1; left != bar; ++left) {
      for (auto right = bar + 1; right < words.end(); ++right) {
        const auto a = mesh().index(*left), b = mesh().index(*right);
        mesh().network().cut.insert({{a, b}, {b, a}});
      }
    }
  } else {
    return false;
  }
  return true;
}

void Scenario::perform(const Words& words) {
  if (perform_on_membership(words)) return;
  const std::string& verb = words.at(0);
  if (verb == "nodes") {
    names_.assign(words.begin() + 1, words.end());
  } else if (verb == "set") {
    set(words);
  } else if (verb == "insert") {
    if (words.at(3) != "slots") throw std::invalid_argument("insert NODE KEY slots FIRST");
    mesh().insert(words[1], words[2], std::stoull(words.at(4)));
  } else if (verb == "evict") {
    mesh().evict(words.at(1), std::stoull(words.at(2)));
  } else if (verb == "remove") {
    mesh().remove(words.at(1), words.at(2));
  } else if (verb == "reset") {
    mesh().reset(words.at(1));
  } else if (verb == "cut") {
    mesh().network().cut.insert({mesh().index(words.at(1)), mesh().index(words.at(2))});
  } else if (verb == "faults") {
    for (std::size_t i = 1; i < words.size(); i += 2)
      set_fault(words[i], std::stod(words.at(i + 1)));
  } else if (verb == "heal") {
    mesh().network().faults = sim::Faults{};
    mesh().network().cut.clear();
  } else if (verb == "run") {
    mesh().run(parse_duration(words.at(1)));
  } else {
    throw std::invalid_argument("no verb " + verb);
  }
}

std::string Scenario::actual(const std::string& node, const Words& what) {
  const std::string& kind = what.at(0);
  if (kind == "match") return show_depths(mesh().match(node, what.at(1)));
  if (kind == "segments") return show_segments(mesh().match(node, what.at(1)));
  if (kind == "local") return std::to_string(mesh().match(node, what.at(1)).local_length);
  if (kind == "counter") return std::to_string(mesh().counter(node, what.at(1)));
  if (kind == "ready") return mesh().at(node).ready() ? "yes" : "no";
  if (kind == "runs") return mesh().running(node) ? "yes" : "no";
  if (kind == "ring") return show_ring(node);
  for (const NodeView& view : mesh().at(node).nodes(mesh().now())) {
    if (view.addr != what.at(1)) continue;
    if (kind == "rank") return std::to_string(view.rank.value);
    if (kind == "lag") return std::to_string(view.lag.ops);
    if (kind == "seq") return std::to_string(view.applied.value);
    if (kind == "state") return std::string(state_name(view.state));
    if (kind == "refusal") return view.refusal;
  }
  if (kind == "state") return "unknown";
  throw std::invalid_argument("nothing is known of: " + kind);
}

std::string Scenario::show_ring(const std::string& node) {
  const RingView ring = mesh().at(node).status().ring;
  std::string open;
  for (const std::string& addr : ring.open_at) open += " " + addr;
  if (!open.empty()) return "open at" + open;
  return ring.verified ? "verified" : "not verified";
}

void Scenario::expect(const std::string& line) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string::npos) throw std::invalid_argument("expect WHAT: RESULT");
  const std::string subject = line.substr(0, colon), expected = line.substr(colon + 2);
  std::istringstream words_of(subject);
  Words words{std::istream_iterator<std::string>(words_of), {}};
  const auto compare = [&](const std::string& who, const std::string& got) {
    if (got == expected) return;
    failures_.push_back(where_ + ": " + subject + (who.empty() ? "" : " (" + who + ")") +
                        ": expected \"" + expected + "\", got \"" + got + "\"");
  };
  if (words.at(0) == "agree") {
    compare("", mesh().agrees() ? "yes" : "no");
    return;
  }
  const Words what(words.begin() + 1, words.end());
  if (words[0] != "all") {
    compare("", actual(words[0], what));
    return;
  }
  for (const std::string& name : names_) {
    if (mesh().running(name)) compare(name, actual(name, what));
  }
}

std::vector<std::string> Scenario::run(const std::string& file, std::istream& text) {
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    where_ = file + ":" + std::to_string(++number);
    std::istringstream words_of(line);
    const Words words{std::istream_iterator<std::string>(words_of), {}};
    if (words.empty() || words[0][0] == '#') continue;
    try {
      words[0] == "expect" ? expect(line.substr(line.find("expect") + 7)) : perform(words);
    } catch (const std::exception& wrong) {
      failures_.push_back(where_ + ": " + line + ": " + wrong.what());
      break;
    }
  }
  return failures_;
}

}  // namespace radixmesh
