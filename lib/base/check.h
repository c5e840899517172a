// CHECK_THAT(condition, values...): an assertion that is always on. It is for bugs only: what comes
// from outside is refused with an error long before it gets here. Prints the condition and the
// values.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace radixmesh::internal {

template <class... Values>
[[noreturn]] [[gnu::cold]] [[gnu::noinline]] void check_failed(const char* file, int line,
                                                               const char* condition,
                                                               Values... values) {
  std::fprintf(stderr, "%s:%d: check failed: %s", file, line, condition);
  (std::fprintf(stderr, " [%lld]", static_cast<long long>(values)), ...);
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace radixmesh::internal

#define CHECK_THAT(condition, ...)                                                \
  do {                                                                            \
    if (!(condition)) [[unlikely]]                                                \
      ::radixmesh::internal::check_failed(__FILE__, __LINE__,                     \
                                          #condition __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)
