// What is shown of collecting duplicates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/time.h"

namespace radixmesh {

// Collecting duplicates, in short.
struct GcCountsView {
  std::string_view mode;
  bool engine_frees = false;
  std::uint64_t retiring_tokens = 0;
  std::uint64_t held_pages = 0;                   // locked here for rounds of others
  std::map<std::string, std::size_t> references;  // of this node, by owner
  struct Reader {
    Duration since{}, silent{};
    std::size_t pages = 0;  // that it is known to refer to: all of them, or those that retire
  };
  std::map<std::string, Reader> readers;  // registered here
  std::size_t unacknowledged = 0;         // GcFrees
  std::uint64_t unacknowledged_tokens = 0;
  Duration unacknowledged_for{};
};

// What collecting duplicates would do now, and why not more.
struct DuplicateRow {
  CacheNamespace name;
  std::uint32_t begin = 0;
  std::uint64_t tokens = 0;
  std::vector<TokenId> head;      // its first tokens
  std::vector<std::string> kept;  // the nodes whose copies would stay
};
struct GcView {
  GcCountsView counts;
  Duration period{};
  std::uint32_t keep_copies = 1, hot_copies = 1, hot_uses = 1;
  std::string_view silent_reader;   // block or lease
  std::string_view not_collecting;  // why no round can begin; empty: one can
  // Tokens of this node, by what may become of them.
  std::uint64_t duplicate_tokens = 0, scarce_tokens = 0, hot_tokens = 0, locked_tokens = 0,
                retiring_tokens = 0, above_tokens = 0;
  std::vector<DuplicateRow> duplicates;  // some of them
  std::size_t duplicates_total = 0;
  bool round_running = false;
  std::vector<std::string> waits_for;  // holders that have not answered, readers that block
};

}  // namespace radixmesh
