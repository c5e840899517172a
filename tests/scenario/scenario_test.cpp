// Every *.scenario beside this file comes out as it says; and a story that is wrong is found out.
#include "tests/scenario/scenario.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

namespace radixmesh {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST_CASE("every scenario comes out as it says") {
  int stories = 0;
  const std::string folder = std::string(RADIXMESH_ROOT) + "/tests/scenario";
  for (const auto& each : std::filesystem::directory_iterator(folder)) {
    if (each.path().extension() != ".scenario") continue;
    ++stories;
    std::ifstream text(each.path());
    const std::string failures =
        joined(Scenario().run("tests/scenario/" + each.path().filename().string(), text));
    CHECK_MESSAGE(failures.empty(), failures);
  }
  CHECK(stories >= 7);
}

TEST_CASE("a wrong expectation is told with its place, what was expected and what is") {
  std::istringstream text(
      "nodes p0 r0\n\nstart p0 r0\nrun 1s\n# all is well so far\n"
      "insert p0 abcd slots 10\nrun 1s\nexpect all match abcd: p0=3\n"
      "expect r0 match abcd: p0=4\n");
  CHECK(joined(Scenario().run("story", text)) ==
        "story:8: all match abcd (p0): expected \"p0=3\", got \"p0=4\"\n"
        "story:8: all match abcd (r0): expected \"p0=3\", got \"p0=4\"\n");
}

TEST_CASE("a line that makes no sense ends the story") {
  for (const char* line : {"explode p0", "start p7", "insert p0 abcd", "expect p0 match abcd",
                           "expect p0 mood: fine", "run 2", "evict p0 two", "evict r0 2"}) {
    std::istringstream text("nodes p0 r0\nstart p0 r0\n" + std::string(line) + "\nrun 1s\n");
    const std::string failures = joined(Scenario().run("story", text));
    CHECK_MESSAGE(failures.starts_with("story:3: "), line, " gave ", failures);
  }
}

}  // namespace
}  // namespace radixmesh
