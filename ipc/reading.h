// Reads an answer by position and by name; whatever is not as PROTOCOL.md says throws.
#pragma once

#include <cstdint>
#include <msgpack.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "lib/base/refusal.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh::ipc {

// The sidecar's answer has another shape than it must have.
struct ShapeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A borrowed view of one value.
class Reader {
 public:
  using Kind = msgpack::type::object_type;
  explicit Reader(const msgpack::object& object) : object_(&object) {}

  bool is_nil() const { return object_->type == Kind::NIL; }
  std::uint32_t size() const { return object_->type == Kind::ARRAY ? object_->via.array.size : 0; }
  Reader at(std::uint32_t index) const {
    require(index < size(), "an array is too short");
    return Reader(object_->via.array.ptr[index]);
  }
  // Nothing where there is none, as older sidecars do not tell it.
  std::optional<Reader> optional_field(std::string_view name) const {
    require(object_->type == Kind::MAP, "a map is expected");
    for (std::uint32_t i = 0; i < object_->via.map.size; ++i) {
      const auto& pair = object_->via.map.ptr[i];
      if (pair.key.type == Kind::STR &&
          std::string_view(pair.key.via.str.ptr, pair.key.via.str.size) == name) {
        return Reader(pair.val);
      }
    }
    return std::nullopt;
  }
  Reader field(std::string_view name) const {
    if (const auto found = optional_field(name)) return *found;
    throw ShapeError("the answer lacks " + std::string(name));
  }
  template <class F>
  void for_each_pair(F&& f) const {
    require(object_->type == Kind::MAP, "a map is expected");
    for (std::uint32_t i = 0; i < object_->via.map.size; ++i) {
      f(Reader(object_->via.map.ptr[i].key).text(), Reader(object_->via.map.ptr[i].val));
    }
  }
  std::uint64_t u64() const {
    require(object_->type == Kind::POSITIVE_INTEGER, "an integer is expected");
    return object_->via.u64;
  }
  std::uint32_t u32() const {
    require(u64() <= 0xFFFFFFFFu, "an integer is too large");
    return static_cast<std::uint32_t>(u64());
  }
  bool boolean() const {
    require(object_->type == Kind::BOOLEAN, "true or false is expected");
    return object_->via.boolean;
  }
  std::string text() const {
    require(object_->type == Kind::STR, "text is expected");
    return {object_->via.str.ptr, object_->via.str.size};
  }
  SlotRuns slots() const {
    SlotRuns out;
    require(object_->type == Kind::ARRAY, "runs of slots are expected");
    for (std::uint32_t i = 0; i < size(); ++i) {
      out.append({Slot{at(i).at(0).u64()}, at(i).at(1).u64()});
    }
    return out;
  }
  // The error of a response; nothing where it is nil.
  std::optional<Refusal> refusal() const {
    if (is_nil()) return std::nullopt;
    Refusal refusal{RefusalCode::report_bug, at(1).text()};
    for (int code = 0; code <= static_cast<int>(RefusalCode::report_bug); ++code) {
      if (refusal_name(static_cast<RefusalCode>(code)) == at(0).text()) {
        refusal.code = static_cast<RefusalCode>(code);
      }
    }
    return refusal;
  }

 private:
  static void require(bool good, const char* what) {
    if (!good) throw ShapeError(what);
  }
  const msgpack::object* object_;
};

}  // namespace radixmesh::ipc
