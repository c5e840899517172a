#include "tests/routing/matrix.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

#include "tests/routing/stress.h"

namespace radixmesh::routing {
namespace {

using nlohmann::json;

// The others that run with all seeds: so many of the best by each figure.
constexpr std::size_t kBest = 3;
// A cell is drowned where every policy has so much queued at the last arrival, in seconds of work.
constexpr double kDrownedS = 5;
// Below this a figure is not told from another.
constexpr double kLeast = 1e-6;
constexpr std::size_t kWorstShown = 15;

const std::vector<std::string>& judged(bool drowned) {
  static const std::vector<std::string> times = {"ttft_mean_s", "ttft_p99_s"},
                                        works = {"computed_tokens", "queued_s"};
  return drowned ? works : times;
}

// Ours against the best other.
struct Ratio {
  std::string figure, other;
  double ours = 0, best = 0;
  double value() const { return std::max(ours, kLeast) / std::max(best, kLeast); }
};
struct Verdict {
  std::string cell;
  bool drowned = false;
  std::vector<Ratio> ratios;
};

// Those of the others that are best by one of the figures.
std::set<std::size_t> best_others(const std::vector<Figures>& all, bool drowned) {
  std::set<std::size_t> out;
  for (const std::string& figure : judged(drowned)) {
    std::vector<std::size_t> order;
    for (std::size_t i = 1; i < all.size(); ++i) order.push_back(i);
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return all[i].at(figure).mean; });
    order.resize(std::min(order.size(), kBest));
    out.insert(order.begin(), order.end());
  }
  return out;
}

Verdict judge(const Cell& cell, const MatrixSettings& settings, const Comparison& comparison) {
  const std::vector<Figures> once = comparison.compare(cell, settings.policies, 1);
  Verdict verdict{
      cell.name(),
      std::ranges::all_of(once,
                          [](const Figures& each) { return each.at("queued_s").mean > kDrownedS; }),
      {}};
  std::vector<std::string> policies = {settings.policies.front()};
  for (std::size_t i : best_others(once, verdict.drowned)) policies.push_back(settings.policies[i]);
  const std::vector<Figures> all = comparison.compare(cell, policies, settings.seeds);
  for (const std::string& figure : judged(verdict.drowned)) {
    std::size_t best = 1;
    for (std::size_t i = 2; i < all.size(); ++i) {
      if (all[i].at(figure).mean < all[best].at(figure).mean) best = i;
    }
    verdict.ratios.push_back(
        {figure, policies[best], all[0].at(figure).mean, all[best].at(figure).mean});
  }
  return verdict;
}

json to_json(const Verdict& verdict) {
  json ratios = json::array();
  for (const Ratio& each : verdict.ratios) {
    ratios.push_back(
        {{"figure", each.figure}, {"other", each.other}, {"ours", each.ours}, {"best", each.best}});
  }
  return {{"cell", verdict.cell}, {"drowned", verdict.drowned}, {"ratios", ratios}};
}

Verdict verdict_of(const json& line) {
  Verdict verdict{line.at("cell"), line.at("drowned"), {}};
  for (const json& each : line.at("ratios")) {
    verdict.ratios.push_back(
        {each.at("figure"), each.at("other"), each.at("ours"), each.at("best")});
  }
  return verdict;
}

std::map<std::string, Verdict> known_verdicts(const std::string& file) {
  std::map<std::string, Verdict> out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const json fields = json::parse(line, nullptr, false);
    if (fields.is_discarded()) continue;  // cut off where the last run ended
    Verdict verdict = verdict_of(fields);
    out[verdict.cell] = std::move(verdict);
  }
  return out;
}

void print(const Verdict& verdict) {
  std::printf("%-44s", verdict.cell.c_str());
  for (const Ratio& each : verdict.ratios) {
    std::printf("  %9.3f %9.3f %-19s %6.3f", each.ours, each.best, each.other.c_str(),
                each.value());
  }
  std::printf("%s\n", verdict.drowned ? "  drowned" : "");
  std::fflush(stdout);
}

void print_worst(const std::vector<Verdict>& verdicts) {
  std::vector<std::pair<const Verdict*, const Ratio*>> worst;
  for (const Verdict& verdict : verdicts) {
    for (const Ratio& each : verdict.ratios) worst.emplace_back(&verdict, &each);
  }
  std::ranges::sort(worst, std::greater<>(), [](const auto& each) { return each.second->value(); });
  std::size_t behind = 0;
  for (const auto& [verdict, ratio] : worst) behind += ratio->value() > 1 ? 1 : 0;
  std::printf("\nbehind in %zu of %zu figures of %zu cells; the worst:\n", behind, worst.size(),
              verdicts.size());
  worst.resize(std::min(worst.size(), kWorstShown));
  for (const auto& [verdict, ratio] : worst) {
    std::printf("%7.3f  %-44s %-15s %9.3f, %s has %.3f\n", ratio->value(), verdict->cell.c_str(),
                ratio->figure.c_str(), ratio->ours, ratio->other.c_str(), ratio->best);
  }
  if (!worst.empty()) std::printf("worst ratio %.3f\n", worst.front().second->value());
}

}  // namespace

std::vector<Cell> matrix_cells(const MatrixSettings& settings) {
  std::vector<Cell> all;
  for (const std::string& trace : settings.traces) {
    for (const std::uint32_t nodes : {8, 16, 48}) {
      for (const std::uint32_t routers : {1, 4, 16}) {
        for (const double load : {0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}) {
          all.push_back({trace, nodes, routers, load, false, ""});
        }
        for (const double load : {0.5, 0.7}) all.push_back({trace, nodes, routers, load, true, ""});
      }
    }
    for (const StressCase& stress : stress_cases()) {
      all.push_back(
          {trace, 16, 4, stress.name.starts_with("split") ? 0.15 : 0.4, false, stress.name});
    }
  }
  if (settings.parts.empty()) return all;
  std::erase_if(all, [&](const Cell& cell) {
    return std::ranges::none_of(settings.parts, [&](const std::string& part) {
      return cell.name().find(part) != std::string::npos;
    });
  });
  return all;
}

bool run_matrix(const MatrixSettings& settings, const Comparison& comparison) {
  const std::vector<Cell> cells = matrix_cells(settings);
  if (cells.empty()) throw std::runtime_error("no such cells");
  std::map<std::string, Verdict> known;
  if (!settings.file.empty()) known = known_verdicts(settings.file);
  std::printf("%-44s  %9s %9s %-19s %6s  %9s %9s %-19s %6s\n", "cell", "mean s", "best", "other's",
              "ratio", "p99 s", "best", "other's", "ratio");
  std::printf("%-44s  drowned: tokens computed a request, and queued s at the last arrival\n", "");
  std::vector<Verdict> verdicts;
  for (const Cell& cell : cells) {
    const auto found = known.find(cell.name());
    verdicts.push_back(found != known.end() ? found->second : judge(cell, settings, comparison));
    if (found == known.end() && !settings.file.empty()) {
      std::ofstream(settings.file, std::ios::app) << to_json(verdicts.back()).dump() << "\n";
    }
    print(verdicts.back());
  }
  print_worst(verdicts);
  if (settings.bound == 0) return true;
  return std::ranges::all_of(verdicts, [&](const Verdict& each) {
    return std::ranges::all_of(each.ratios,
                               [&](const Ratio& ratio) { return ratio.value() <= settings.bound; });
  });
}

}  // namespace radixmesh::routing
