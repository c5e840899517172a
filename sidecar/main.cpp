#include <malloc.h>
#include <sys/resource.h>

#include <cstdio>

#include "ipc/standard_descriptors.h"
#include "sidecar/daemon.h"
#include "sidecar/exit_codes.h"
#include "sidecar/log.h"
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

// Every peer takes a few descriptors, and every client one.
void raise_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace radixmesh;
  ipc::fill_standard_descriptors();
  keep_freed_memory();
  try {
    const Options options = parse_options(argc, argv);
    if (options.check_config) {
      std::puts("the configuration is good");
      return kExitOk;
    }
    raise_descriptors();
    open_log(options.log_level, options.log_format);
    Daemon daemon(options);
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
