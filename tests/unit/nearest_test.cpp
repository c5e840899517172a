// Which name was meant, as pairs of what was written and what is right.
#include "lib/base/nearest.h"

#include <doctest/doctest.h>

namespace radixmesh {
namespace {

const std::vector<std::string> kFlags = {"--prefill-cache-nodes",
                                         "--decode-cache-nodes",
                                         "--router-cache-nodes",
                                         "--local-cache-addr",
                                         "--publish-addr",
                                         "--page-size",
                                         "--policy",
                                         "--prefill-rate",
                                         "--gc",
                                         "--gc-period",
                                         "--gc-lease",
                                         "--log-level",
                                         "--log-format"};
constexpr std::string_view kVerbs[] = {"status", "nodes", "match", "route", "tree", "tail", "gc"};

TEST_CASE("what is near is meant") {
  const std::pair<const char*, const char*> rows[] = {
      {"--page-sise", "--page-size"},
      {"--page-sizes", "--page-size"},
      {"--pagesize", "--page-size"},
      {"--page_size", "--page-size"},
      {"--PAGE-SIZE", "--page-size"},
      {"-page-size", "--page-size"},
      {"page-size", "--page-size"},
      {"--apge-size", "--page-size"},
      {"--page", "--page-size"},
      {"--router-nodes", "--router-cache-nodes"},
      {"--local-addr", "--local-cache-addr"},
      {"--gc-perod", "--gc-period"},
      {"--gc-priod", "--gc-period"},
      {"--gc-prod", "--gc-period"},
      {"--gx", "--gc"},
      {"--log", "--log-level"},
      {"--prefill-nodes", "--prefill-cache-nodes"},
      {"--cache-nodes-decode", "--decode-cache-nodes"},
      {"--addr", "--publish-addr"},
      {"--gc-mode", "--gc"},
      {"--page-size-tokens", "--page-size"},
      {"--polic", "--policy"},
  };
  for (const auto& [written, right] : rows) {
    CAPTURE(std::string(written));
    CHECK(nearest(written, kFlags) == right);
  }
  CHECK(nearest("stats", kVerbs) == "status");
  CHECK(nearest("sta", kVerbs) == "status");
  CHECK(nearest("status-all", kVerbs) == "status");
  CHECK(nearest("matching", kVerbs) == "match");
  CHECK(nearest("Nodes", kVerbs) == "nodes");
  CHECK(nearest("tial", kVerbs) == "tail");
}

TEST_CASE("what is far is not meant") {
  for (const char* written : {"", "-", "--", "x", "zz", "--nothing-of-the-kind", "--help-me-out"}) {
    CAPTURE(std::string(written));
    CHECK_FALSE(nearest(written, kFlags));
    CHECK_FALSE(nearest(written, kVerbs));
  }
  CHECK_FALSE(nearest(std::string(1'000'000, 'p'), kFlags));
  CHECK_FALSE(nearest("anything", std::vector<std::string>{}));
}

TEST_CASE("the distance counts letters, a swap as one") {
  CHECK(typing_distance("", "") == 0);
  CHECK(typing_distance("", "abc") == 3);
  CHECK(typing_distance("abc", "") == 3);
  CHECK(typing_distance("abc", "abc") == 0);
  CHECK(typing_distance("abc", "acb") == 1);
  CHECK(typing_distance("abc", "abd") == 1);
  CHECK(typing_distance("abc", "ab") == 1);
  CHECK(typing_distance("kitten", "sitting") == 3);
  CHECK(typing_distance("ca", "abc") == 3);
}

TEST_CASE("a message ends with the right name, or as it was") {
  CHECK(did_you_mean("--page-sise", kFlags) == " (did you mean --page-size?)");
  CHECK(did_you_mean("banana", kFlags).empty());
}

}  // namespace
}  // namespace radixmesh
