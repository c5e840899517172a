// A large row is made where it is to lie, and not made and then copied there: for the few loops
// that do little else.
//
//   rows.emplace_back(InPlace([&] { return Row{...}; }));
#pragma once

#include <utility>

namespace radixmesh {

template <class Make>
class InPlace {
 public:
  explicit InPlace(Make make) : make_(std::move(make)) {}
  operator decltype(std::declval<Make&>()())() { return make_(); }

 private:
  Make make_;
};

}  // namespace radixmesh
