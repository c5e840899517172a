#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "ipc/standard_descriptors.h"
#include "sidecar/daemon.h"
#include "sidecar/descriptors.h"
#include "sidecar/exit_codes.h"
#include "sidecar/listener.h"
#include "sidecar/options.h"

namespace {

// On one line, whatever names of others are in it.
int fail(int code, std::string what) {
  for (char& c : what) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  std::fprintf(stderr, "radixmesh-sidecar: %s\n", what.c_str());
  return code;
}

int print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return radixmesh::kExitOk;
  return fail(radixmesh::kExitResource, "the text cannot be written to standard output");
}

// Freed token blocks are soon needed again: handing them to the kernel and back would cost more
// than the copy. Blocks of whole prompts stay off mmap for the same reason.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace radixmesh;
  ipc::fill_standard_descriptors();
  keep_freed_memory();
  try {
    const Options options = parse_options(argc, argv, environ);
    if (options.check_config) return print("the configuration is good\n");
    raise_descriptors();
    Daemon daemon(options, [&] { return parse_options(argc, argv, environ); });
    daemon.run();
    return kExitOk;
  } catch (const OptionText& text) {
    return print(text.text);
  } catch (const OptionError& error) {
    return fail(kExitUsage, error.what());
  } catch (const BindError& error) {
    return fail(kExitResource, error.what());
  } catch (const ipc::SocketError& error) {
    return fail(kExitResource, error.what());
  } catch (const std::exception& error) {
    return fail(kExitInternal, error.what());
  }
}
