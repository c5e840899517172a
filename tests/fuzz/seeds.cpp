// Writes what a fuzzer begins with, made by the codec as it is, so that it is never of an older
// one:
//
//   fuzz_seeds wire|replica FOLDER
#include <filesystem>
#include <fstream>

#include "tests/fuzz/plausible.h"
#include "tests/unit/wire_examples.h"

namespace radixmesh {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error(path.string() + " cannot be written");
}

// Each example of WIRE.md, and all of them in one payload.
void write_wire(const fs::path& folder) {
  Bytes all;
  for (const auto& [name, message] : wire_examples()) {
    const Bytes frame = encode(message);
    all += frame;
    std::string file = name;
    std::ranges::replace(file, ' ', '_');
    write(folder / file, frame);
  }
  write(folder / "all_in_one_payload", all);
}

Bytes record(int kind, int route, std::string_view payload) {
  Bytes bytes{static_cast<char>(kind), static_cast<char>(route), static_cast<char>(payload.size())};
  return bytes.append(payload);
}

// Of each type two inputs, from p1 to p0 on every way (tests/fuzz/replica_fuzz.cpp): what is
// plausible, also said to all, and as a raw frame, which tells the fuzzer what the bytes look like;
// and each of the first numbers at its bound.
void write_replica(const fs::path& folder) {
  const Speaker p1{"p1", NodeRank{1}, Role::prefill, Epoch{3'601'000'000'001}, Seq{1}, 0};
  const Speaker p0{"p0", NodeRank{0}, Role::prefill, Epoch{3'601'000'000'001}, Seq{1}, 0};
  constexpr int kPublished = 1, kQuestion = 1 | 1 << 4, kAnswer = 1 | 2 << 4;
  constexpr char kNumberAtBound = 16;
  for (std::size_t i = 0; i < Plausible::kTypes; ++i) {
    const char type = static_cast<char>(i);
    const std::string insides = Plausible(p1, p0).frame(i).substr(4);
    Bytes said{static_cast<char>(i % 3 * 2)}, high{static_cast<char>(i % 3 * 2 | 1)};
    for (const int route : {kPublished, kQuestion, kAnswer}) {
      said += record(1, route, {&type, 1}) + record(4, 0, "\x20") + record(6, route, {&type, 1});
      if (insides.size() < 256) said += record(0, route, insides);
      // The epoch, then what the body has.
      for (const char number : {2, 5, 6, 7, 8, 9, 10}) {
        high += record(1, route, Bytes{type, number, kNumberAtBound});
      }
    }
    write(folder / ("said-" + std::to_string(i)), said);
    write(folder / ("high-" + std::to_string(i)), high);
  }
}

}  // namespace
}  // namespace radixmesh

int main(int argc, char** argv) {
  using namespace radixmesh;
  if (argc != 3) return 2;
  fs::remove_all(argv[2]);  // what an earlier codec made
  fs::create_directories(argv[2]);
  const std::string_view target = argv[1];
  if (target == "wire") return write_wire(argv[2]), 0;
  if (target == "replica") return write_replica(argv[2]), 0;
  return 2;
}
