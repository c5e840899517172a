// All options of the program, as rows: what each is called, means, may be, is by default, and is
// now.
//
//   OptionTable table;
//   table.group("The mesh");
//   table.add("page-size", settings.page_size, Whole{1, 1024}, "tokens per page");
//
// makes the flag --page-size, the variable RADIXMESH_PAGE_SIZE, the key page-size of the file, a
// paragraph of --help and a line of --print-config. What the value is when its row is added is its
// default.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/config/option_error.h"
#include "sidecar/config/option_kinds.h"
#include "sidecar/config/written.h"

namespace radixmesh {

struct Option {
  std::string name, group, text;
  Form form = Form::text;
  std::string placeholder, range;
  std::function<void(const ValueParts&)> take;
  std::function<ValueParts()> show;
  ValueParts standard;  // what it shows by default
  bool needed = false;
  bool in_file = true, in_environment = true;
  Written written;  // that which counts

  Option& must_be_given() {
    needed = true;
    return *this;
  }
  Option& not_in_file() {
    in_file = false;
    return *this;
  }
  std::string flag() const { return "--" + name; }
  std::string variable() const;
};

class OptionTable {
 public:
  // The heading of the rows that follow.
  void group(std::string title) { group_ = std::move(title); }

  // `value` outlives the table. A `text` begins with a small letter, and has no dot at its end.
  template <class T, class Kind>
  Option& add(std::string name, T& value, Kind kind, std::string text) {
    Option option;
    option.written.name = name;
    option.name = std::move(name);
    option.group = group_;
    option.text = std::move(text);
    option.form = Kind::form;
    option.placeholder = kind.placeholder();
    option.range = kind.range();
    option.take = [&value, kind](const ValueParts& parts) { kind.take(parts, value); };
    option.show = [&value, kind] { return kind.show(value); };
    option.standard = option.show();
    option.in_file = option.in_environment = Kind::form != Form::nothing;
    options_.push_back(std::move(option));
    return options_.back();
  }

  const std::deque<Option>& options() const { return options_; }
  const Option* find(std::string_view name) const;
  const Option& at(std::string_view name) const;  // one that is there

  // The value is what was written, or OptionError.
  void take(const Written& written);
  // OptionError names the first that must be given and is not.
  void check_needed() const;
  // Where an option's value, or one part of it, was written, as the beginning of a message.
  std::string where(std::string_view name, std::size_t part = 0) const;

 private:
  std::string group_;
  std::deque<Option> options_;
};

// The same for what was written before it is in the table.
std::string where_written(const Written& written, std::size_t part = 0);
// Where the value of an option comes from: "default", a variable, file:line, or a flag.
std::string origin_of(const Written& written);
// "RADIXMESH_PAGE_SIZE" of "page-size".
std::string variable_of(std::string_view name);

}  // namespace radixmesh
