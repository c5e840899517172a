// What a "host:port" may be: the only place where a configured address is judged.
//
//   name:5001   10.0.0.1:5001   [2001:db8::1]:5001   [fe80::1%eth0]:5001
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace radixmesh {

struct AddressRules {
  bool port_zero = false;     // "a port of the system's choice": for what is only bound
  bool port_missing = false;  // a host alone
  bool wildcard = false;      // 0.0.0.0, [::], *: likewise, for nobody can connect to them
};

// The rule that the address breaks, with what was written and what to write instead; nothing where
// it is good. A name is judged by its form alone: whether it is known is found out later.
std::optional<std::string> check_address(std::string_view addr, AddressRules rules = {});

// One text for all spellings of a good address: a host in small letters, without brackets and
// without the dot at its end; an IPv6 number as short as can be.
std::string same_address(std::string_view addr);

}  // namespace radixmesh
