// Addresses cut to a width, as a table of many members has no room for names of any length.
//
//   gpu-017.rack4.prod.example.com:5001     017.rack4
//   gpu-018.rack5.prod.example.com:5001     018.rack5
//
// and all begin with gpu- and end in .prod.example.com:5001.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace radixmesh::cli {

class ShortAddresses {
 public:
  // Where one is wider than `width` (at least 8), what all end in is left out: the port, if it is
  // the same, and the domain; then what all begin with. What is still wider is cut in its middle.
  ShortAddresses(const std::vector<std::string>& addresses, std::size_t width);

  std::string shortened(const std::string& address) const;
  // What was done to them, in a sentence; empty where nothing was.
  std::string note() const;

 private:
  std::size_t width_;
  std::string prefix_, suffix_;
  bool cut_ = false;
};

}  // namespace radixmesh::cli
