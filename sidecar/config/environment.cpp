#include "sidecar/config/environment.h"

#include <algorithm>
#include <set>

namespace radixmesh {
namespace {

constexpr std::string_view kPrefix = "RADIXMESH_";

// What others read, and so no mistakes: the CLI and the clients the first, tests the rest.
constexpr std::string_view kOfOtherPrograms[] = {
    "RADIXMESH_SOCKET",          "RADIXMESH_BUILD",
    "RADIXMESH_SEEDS",           "RADIXMESH_COLLECTING_OPERATIONS",
    "RADIXMESH_COLLECTING_SEED", "RADIXMESH_SURVIVAL_SECONDS",
    "RADIXMESH_SURVIVAL_SEED",
};

bool is_own(std::string_view name) {
  const auto same = [](char c, char capital) {
    return (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c) == capital;
  };
  return std::ranges::equal(name.substr(0, kPrefix.size()), kPrefix, same);
}

std::string not_a_variable(const std::string& name, const OptionTable& table) {
  // Without what all have in common, which would make all of them near.
  std::vector<std::string> names;
  const auto add = [&names](std::string_view each) {
    names.emplace_back(each.substr(kPrefix.size()));
  };
  for (const Option& option : table.options()) {
    if (option.in_environment) add(option.variable());
  }
  for (const std::string_view each : kOfOtherPrograms) add(each);
  const auto meant = nearest(std::string_view(name).substr(kPrefix.size()), names);
  return in_quotes(name) + ": there is no such variable" +
         (meant ? " (did you mean " + std::string(kPrefix) + *meant + "?)" : "");
}

}  // namespace

Variables own_variables(const char* const* environment) {
  Variables out;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos || !is_own(variable.substr(0, equals))) continue;
    out.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return out;
}

Environment read_environment(const Variables& variables, const OptionTable& table) {
  Environment out;
  std::set<std::string> services;
  for (const auto& [name, value] : variables) {
    const auto option = std::ranges::find_if(table.options(), [&name = name](const Option& each) {
      return each.in_environment && each.variable() == name;
    });
    const bool is_option = option != table.options().end();
    const auto service =
        is_option ? service_over_option(name, variables) : service_of_variable(name, value);
    if (service) {
      ++out.ignored;
      services.insert(*service);
    } else if (is_option && !value.empty()) {
      Written written{.name = option->name, .parts = {value}, .source = Source::variable};
      try {
        if (option->form == Form::list) written.parts = split_list(value);
      } catch (const BrokenRule& broken) {
        throw OptionError(name + ": " + broken.rule);
      }
      out.written.push_back(std::move(written));
    } else if (!is_option &&
               std::ranges::find(kOfOtherPrograms, name) == std::end(kOfOtherPrograms)) {
      throw OptionError(not_a_variable(name, table));
    }
  }
  out.ignored_services.assign(services.begin(), services.end());
  return out;
}

}  // namespace radixmesh
