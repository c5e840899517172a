#include <malloc.h>

#include <cstdio>

#include "sidecar/daemon.h"
#include "sidecar/descriptors.h"
#include "sidecar/exit_codes.h"
#include "sidecar/options.h"

namespace {

int fail(int code, const char* what) {
  std::fprintf(stderr, "radixmesh-sidecar: %s\n", what);
  return code;
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
  keep_freed_memory();
  try {
    const Options options = parse_options(argc, argv);
    if (options.check_config) {
      std::puts("the configuration is good");
      return kExitOk;
    }
    raise_descriptors();
    Daemon daemon(options, [&] { return parse_options(argc, argv); });
    daemon.run();
    return kExitOk;
  } catch (const OptionText& text) {
    std::fputs(text.text.c_str(), stdout);
    return kExitOk;
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
