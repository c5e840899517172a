#include "cli/diff.h"

#include <memory>

#include "cli/compare.h"
#include "cli/output.h"
#include "cli/show.h"

namespace radixmesh::cli {
namespace {

// A connection and its first answer; null, with a complaint, where there is none: so that of two
// sidecars that are both away, both are named.
std::unique_ptr<ipc::Client> ask(Side& side, std::chrono::milliseconds timeout) {
  try {
    auto client = std::make_unique<ipc::Client>(side.socket, timeout);
    side.status = to_json(client->status());
    side.client = client.get();
    return client;
  } catch (const std::exception& error) {
    complain(side.socket + ": " + error.what());
    return nullptr;
  }
}

}  // namespace

ExitCode run_diff(const CommandLine& line) {
  Side a{line.socket_a, nullptr, nullptr}, b{line.socket_b, nullptr, nullptr};
  const auto client_a = ask(a, line.timeout), client_b = ask(b, line.timeout);
  if (!client_a || !client_b) return kExitNoAnswer;
  Json report;
  try {
    report = compare(std::move(a), std::move(b), line.entries);
  } catch (const std::exception& error) {
    // A refusal, too: it leaves open whether the two are equal.
    complain(std::string("could not compare: ") + error.what());
    return kExitNoAnswer;
  }
  print_unless_gone(line.json ? one_line(report) + "\n" : diff_text(report));
  if (report["verdict"] == "equal") return kExitOk;
  return report["verdict"] == "different" ? kExitNo : kExitNoAnswer;
}

}  // namespace radixmesh::cli
