// The kinds of values that options have: how one is read from what was written, and shown again.
//
// Each kind K of values of type T has
//   form                what a TOML file must say for it
//   placeholder()       what --help shows for the value
//   range()             the values that are allowed, for --help; may be empty
//   take(parts, value)  sets the value, or throws BrokenRule
//   show(value)         parts as a TOML file would say them; none where the value is not set
#pragma once

#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/nearest.h"
#include "lib/base/time.h"
#include "sidecar/config/check_address.h"
#include "sidecar/config/value_text.h"

namespace radixmesh {

enum class Form { text, whole, number, boolean, list, nothing };
using ValueParts = std::vector<std::string>;

// A whole number from `min` to `max`, both of which the value's type can hold.
struct Whole {
  static constexpr Form form = Form::whole;
  std::int64_t min = 0, max = 0;

  std::string placeholder() const { return "N"; }
  std::string range() const { return range_text(min, max); }
  template <class T>
  void take(const ValueParts& parts, T& value) const {
    value = static_cast<T>(parse_whole(parts.front(), min, max));
  }
  template <class T>
  ValueParts show(const T& value) const {
    return {std::to_string(value)};
  }
};

struct Number {
  static constexpr Form form = Form::number;
  double min = 0, max = 0;

  std::string placeholder() const { return "X"; }
  std::string range() const { return range_text(min, max); }
  void take(const ValueParts& parts, double& value) const {
    value = parse_number(parts.front(), min, max);
  }
  ValueParts show(double value) const { return {toml_number(value)}; }
};

struct Seconds {
  static constexpr Form form = Form::number;
  double min = 0, max = 0;

  std::string placeholder() const { return "SECONDS"; }
  std::string range() const { return range_text(min, max); }
  void take(const ValueParts& parts, Duration& value) const {
    const double seconds = parse_number(parts.front(), min, max);
    value = Duration{std::llround(seconds * kUnitsPerSecond)};
  }
  ValueParts show(Duration value) const {
    return {toml_number(static_cast<double>(value.count()) / kUnitsPerSecond)};
  }

 private:
  static constexpr double kUnitsPerSecond = Duration(std::chrono::seconds(1)).count();
};

// One of some names, each of which stands for a value. The value may be an optional: not set.
template <class T>
struct OneOf {
  static constexpr Form form = Form::text;
  std::vector<std::pair<std::string, T>> values;

  std::string placeholder() const { return joined("|", "|"); }
  std::string range() const { return ""; }
  template <class Value>
  void take(const ValueParts& parts, Value& value) const {
    std::vector<std::string> names;
    for (const auto& [name, each] : values) {
      if (name == parts.front()) return void(value = each);
      names.push_back(name);
    }
    throw BrokenRule{in_quotes(parts.front()) + " is not " + joined(", ", " or ") +
                     did_you_mean(parts.front(), names)};
  }
  template <class Value>
  ValueParts show(const Value& value) const {
    for (const auto& [name, each] : values) {
      if (value == each) return {toml_text(name)};
    }
    return {};
  }

 private:
  std::string joined(const char* comma, const char* last) const {
    std::string out;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out += i + 1 < values.size() ? comma : last;
      out += values[i].first;
    }
    return out;
  }
};

struct YesOrNo {
  static constexpr Form form = Form::boolean;

  std::string placeholder() const { return "true|false"; }
  std::string range() const { return ""; }
  void take(const ValueParts& parts, bool& value) const { value = parse_boolean(parts.front()); }
  ValueParts show(bool value) const { return {value ? "true" : "false"}; }
};

// A flag of the command line that takes no value.
struct Switch {
  static constexpr Form form = Form::nothing;

  std::string placeholder() const { return ""; }
  std::string range() const { return ""; }
  void take(const ValueParts&, bool& value) const { value = true; }
  ValueParts show(bool) const { return {}; }
};

// Text that is not empty. An empty value is one that is not set.
struct Text {
  static constexpr Form form = Form::text;
  std::string what;  // NAME, PATH
  std::size_t bytes_max = 0;

  std::string placeholder() const { return what; }
  std::string range() const { return ""; }
  void take(const ValueParts& parts, std::string& value) const {
    check_text(parts.front(), bytes_max);
    value = parts.front();
  }
  ValueParts show(const std::string& value) const {
    return value.empty() ? ValueParts{} : ValueParts{toml_text(value)};
  }
};

struct Address {
  static constexpr Form form = Form::text;
  AddressRules rules;

  std::string placeholder() const { return "HOST:PORT"; }
  std::string range() const { return ""; }
  void take(const ValueParts& parts, std::string& value) const {
    if (auto rule = check_address(parts.front(), rules)) throw BrokenRule{*rule};
    value = parts.front();
  }
  ValueParts show(const std::string& value) const {
    return value.empty() ? ValueParts{} : ValueParts{toml_text(value)};
  }
};

struct Addresses {
  static constexpr Form form = Form::list;

  std::string placeholder() const { return "HOST:PORT,..."; }
  std::string range() const { return ""; }
  void take(const ValueParts& parts, std::vector<std::string>& value) const {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (auto rule = check_address(parts[i])) throw BrokenRule{*rule, i};
    }
    value = parts;
  }
  ValueParts show(const std::vector<std::string>& value) const {
    ValueParts parts;
    for (const std::string& each : value) parts.push_back(toml_text(each));
    return parts;
  }
};

}  // namespace radixmesh
