#include <algorithm>

#include "sidecar/config/show_options.h"

namespace radixmesh {
namespace {

// Where comments stand; those of longer lines stand above them.
constexpr std::size_t kCommentColumn = 48;
constexpr std::size_t kServicesNamed = 8;

// The lines of one option, without the comment: a list that is too long has a line for each item.
std::vector<std::string> lines_of(const Option& option) {
  const ValueParts parts = option.show();
  const std::string key = option.name + " = ";
  if (option.form != Form::list) {
    return {parts.empty() ? "# " + option.name + " is not set" : key + parts.front()};
  }
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  if (key.size() + all.size() + 2 < kCommentColumn) return {key + "[" + all + "]"};
  std::vector<std::string> lines = {key + "["};
  for (const std::string& part : parts) lines.push_back("  " + part + ",");
  lines.push_back("]");
  return lines;
}

std::string entry_of(const Option& option) {
  std::vector<std::string> lines = lines_of(option);
  std::string& first = lines.front();
  const std::string comment = "# " + origin_of(option.written);
  if (first.starts_with('#')) return first + "\n";
  if (first.size() < kCommentColumn) {
    first.resize(kCommentColumn, ' ');
    first += comment;
  } else {
    lines.insert(lines.begin(), comment + ":");
  }
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

std::string services_text(const Environment& environment) {
  std::string out;
  const auto& services = environment.ignored_services;
  for (std::size_t i = 0; i < std::min(services.size(), kServicesNamed); ++i) {
    out += (i > 0 ? "," : "") + services[i];
  }
  if (services.size() > kServicesNamed) {
    out += ",and_" + std::to_string(services.size() - kServicesNamed) + "_more";
  }
  return out;
}

}  // namespace

std::string show_config(const OptionTable& table, const Environment& environment) {
  std::string out = "# The configuration in force, as a file for --config\n";
  const Option& config = table.at("config");
  for (const std::string& path : config.show()) {
    out += "# File: " + path + ", from " + origin_of(config.written) + "\n";
  }
  if (environment.ignored > 0) {
    out += "# Variables that Kubernetes set, and that are no options: " +
           std::to_string(environment.ignored) + " for " + services_text(environment) + "\n";
  }
  std::string group;
  for (const Option& option : table.options()) {
    if (!option.in_file) continue;
    if (option.group != group) out += "\n# ---- " + option.group + " ----\n";
    group = option.group;
    out += entry_of(option);
  }
  return out;
}

std::string show_ignored(const Environment& environment) {
  if (environment.ignored == 0) return "";
  return "variables=" + std::to_string(environment.ignored) +
         " services=" + services_text(environment) +
         " reason=\"Kubernetes sets them for services of these names; they are no options\"";
}

}  // namespace radixmesh
