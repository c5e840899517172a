// The parameters of a request, read by name: the gate of the engine's side. The first rule that is
// broken is remembered, and finish() tells it; what was read before is then not to be used.
#pragma once

#include <cstdint>
#include <msgpack.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/refusal.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh::ipc {

class Params {
 public:
  // `object` is the params of a request; it and the bytes it refers to must outlive this.
  explicit Params(const msgpack::object& object);

  // Token ids. Binary is not copied if it is aligned; then, too, it lives as long as the request.
  std::span<const TokenId> tokens();
  SlotRuns slots();
  CacheNamespace name_space();  // absent or nil: the default one
  std::uint64_t u64(std::string_view name);
  std::optional<std::uint64_t> optional_u64(std::string_view name);
  std::optional<bool> optional_boolean(std::string_view name);
  std::optional<std::string> optional_text(std::string_view name, std::size_t bytes_max);
  std::optional<std::string> optional_binary(std::string_view name, std::size_t bytes_max);
  std::vector<std::string> texts(std::string_view name, std::size_t count_max);
  std::vector<std::string> optional_texts(std::string_view name, std::size_t count_max);
  std::optional<std::vector<std::uint64_t>> optional_u64s(std::string_view name, std::size_t count);

  // What was wrong, unknown parameters included; nothing if all is well.
  std::optional<Refusal> finish();

 private:
  const msgpack::object* find(std::string_view name);
  const msgpack::object* find_present(std::string_view name);
  void fail(RefusalCode code, std::string message);
  void tokens_from_array(const msgpack::object_array& array);

  const msgpack::object_map* map_ = nullptr;
  std::set<std::string, std::less<>> read_;
  std::vector<TokenId> tokens_;
  std::optional<Refusal> refusal_;
};

}  // namespace radixmesh::ipc
