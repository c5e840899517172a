#include "ipc/params.h"

#include <cstring>

#include "lib/base/limits.h"

namespace radixmesh::ipc {
namespace {

using msgpack::type::object_type;

std::string_view text_of(const msgpack::object& object) {
  return {object.via.str.ptr, object.via.str.size};
}

// One part of a namespace; false if it is none.
bool read_part(const msgpack::object& object, NamespacePart& part) {
  if (object.type == object_type::NIL) return true;
  if (object.type == object_type::STR) {
    part = {NamespacePart::Kind::text, std::string(text_of(object))};
  } else if (object.type == object_type::BIN) {
    part = {NamespacePart::Kind::bytes, {object.via.bin.ptr, object.via.bin.size}};
  } else {
    return false;
  }
  return part.value.size() <= limits::namespace_part_bytes_max;
}

}  // namespace

Params::Params(const msgpack::object& object) {
  if (object.type == object_type::MAP) {
    map_ = &object.via.map;
  } else {
    fail(RefusalCode::fix_request, "params is not a map");
  }
}

void Params::fail(RefusalCode code, std::string message) {
  if (!refusal_) refusal_ = Refusal{code, std::move(message)};
}

const msgpack::object* Params::find(std::string_view name) {
  if (map_ == nullptr) return nullptr;
  read_.emplace(name);
  for (std::uint32_t i = 0; i < map_->size; ++i) {
    const msgpack::object_kv& pair = map_->ptr[i];
    if (pair.key.type == object_type::STR && text_of(pair.key) == name) {
      return pair.val.type == object_type::NIL ? nullptr : &pair.val;
    }
  }
  return nullptr;
}

const msgpack::object* Params::find_present(std::string_view name) {
  const msgpack::object* object = find(name);
  if (object == nullptr) {
    const bool many = !name.empty() && name.back() == 's';
    fail(RefusalCode::fix_request, std::string(name) + (many ? " are missing" : " is missing"));
  }
  return object;
}

std::span<const TokenId> Params::tokens() {
  const msgpack::object* object = find_present("tokens");
  if (object == nullptr) return {};
  if (object->type == object_type::ARRAY) {
    tokens_from_array(object->via.array);
    return tokens_;
  }
  if (object->type != object_type::BIN) {
    fail(RefusalCode::fix_request, "tokens must be binary or an array of integers");
    return {};
  }
  const msgpack::object_bin& binary = object->via.bin;
  if (binary.size % sizeof(TokenId) != 0) {
    fail(RefusalCode::fix_request, "tokens as binary must be a multiple of 4 bytes");
    return {};
  }
  const std::size_t count = binary.size / sizeof(TokenId);
  if (count > limits::request_tokens_max) {
    fail(RefusalCode::send_less,
         "more than " + std::to_string(limits::request_tokens_max) + " tokens");
    return {};
  }
  if (reinterpret_cast<std::uintptr_t>(binary.ptr) % alignof(TokenId) == 0) {
    return {reinterpret_cast<const TokenId*>(binary.ptr), count};
  }
  tokens_.resize(count);
  if (count > 0) std::memcpy(tokens_.data(), binary.ptr, binary.size);
  return tokens_;
}

void Params::tokens_from_array(const msgpack::object_array& array) {
  if (array.size > limits::request_tokens_max) {
    fail(RefusalCode::send_less,
         "more than " + std::to_string(limits::request_tokens_max) + " tokens");
    return;
  }
  tokens_.reserve(array.size);
  for (std::uint32_t i = 0; i < array.size; ++i) {
    const msgpack::object& item = array.ptr[i];
    if (item.type != object_type::POSITIVE_INTEGER || item.via.u64 > 0xFFFFFFFFu) {
      fail(RefusalCode::fix_request,
           "token " + std::to_string(i) + " is not an integer from 0 to 4294967295");
      tokens_.clear();
      return;
    }
    tokens_.push_back(TokenId{static_cast<std::uint32_t>(item.via.u64)});
  }
}

SlotRuns Params::slots() {
  SlotRuns slots;
  const msgpack::object* object = find_present("slots");
  if (object == nullptr) return slots;
  if (object->type != object_type::ARRAY) {
    fail(RefusalCode::fix_request, "slots must be an array of runs [start, count]");
    return slots;
  }
  const msgpack::object_array& runs = object->via.array;
  if (runs.size > limits::ipc_runs_max) {
    fail(RefusalCode::send_less, "more than " + std::to_string(limits::ipc_runs_max) + " runs");
    return slots;
  }
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < runs.size; ++i) {
    const msgpack::object& run = runs.ptr[i];
    const bool pair = run.type == object_type::ARRAY && run.via.array.size == 2 &&
                      run.via.array.ptr[0].type == object_type::POSITIVE_INTEGER &&
                      run.via.array.ptr[1].type == object_type::POSITIVE_INTEGER;
    const std::uint64_t start = pair ? run.via.array.ptr[0].via.u64 : 0;
    const std::uint64_t count = pair ? run.via.array.ptr[1].via.u64 : 0;
    if (!pair || count == 0 || start + count < start) {
      fail(RefusalCode::fix_request, "run " + std::to_string(i) +
                                         " of slots is not [start, count] with a count of at "
                                         "least 1 that stays below 2^64");
      return {};
    }
    // More slots than any request may have tokens: no sum can overflow below.
    if (count > limits::request_tokens_max || (total += count) > limits::request_tokens_max) {
      fail(RefusalCode::send_less,
           "more slots than " + std::to_string(limits::request_tokens_max) + " tokens need");
      return {};
    }
    slots.append({Slot{start}, count});
  }
  return slots;
}

CacheNamespace Params::name_space() {
  CacheNamespace name;
  const msgpack::object* object = find("namespace");
  if (object == nullptr) return name;
  bool good = object->type == object_type::ARRAY && object->via.array.size == name.parts.size();
  for (std::size_t i = 0; good && i < name.parts.size(); ++i) {
    good = read_part(object->via.array.ptr[i], name.parts[i]);
  }
  if (!good) {
    fail(RefusalCode::fix_request,
         "namespace must be nil or an array of four, each nil, text or binary of at most " +
             std::to_string(limits::namespace_part_bytes_max) + " bytes");
    return {};
  }
  return name;
}

std::uint64_t Params::u64(std::string_view name) {
  if (find_present(name) == nullptr) return 0;
  return optional_u64(name).value_or(0);
}

std::optional<std::uint64_t> Params::optional_u64(std::string_view name) {
  const msgpack::object* object = find(name);
  if (object == nullptr) return std::nullopt;
  if (object->type != object_type::POSITIVE_INTEGER) {
    fail(RefusalCode::fix_request, std::string(name) + " must be an integer of at least 0");
    return std::nullopt;
  }
  return object->via.u64;
}

std::optional<bool> Params::optional_boolean(std::string_view name) {
  const msgpack::object* object = find(name);
  if (object == nullptr) return std::nullopt;
  if (object->type != object_type::BOOLEAN) {
    fail(RefusalCode::fix_request, std::string(name) + " must be true or false");
    return std::nullopt;
  }
  return object->via.boolean;
}

std::optional<std::string> Params::optional_text(std::string_view name, std::size_t bytes_max) {
  const msgpack::object* object = find(name);
  if (object == nullptr) return std::nullopt;
  if (object->type != object_type::STR || object->via.str.size > bytes_max) {
    fail(RefusalCode::fix_request,
         std::string(name) + " must be text of at most " + std::to_string(bytes_max) + " bytes");
    return std::nullopt;
  }
  return std::string(text_of(*object));
}

std::optional<std::string> Params::optional_binary(std::string_view name, std::size_t bytes_max) {
  const msgpack::object* object = find(name);
  if (object == nullptr) return std::nullopt;
  if (object->type != object_type::BIN || object->via.bin.size > bytes_max) {
    fail(RefusalCode::fix_request,
         std::string(name) + " must be binary of at most " + std::to_string(bytes_max) + " bytes");
    return std::nullopt;
  }
  return std::string(object->via.bin.ptr, object->via.bin.size);
}

std::vector<std::string> Params::texts(std::string_view name, std::size_t count_max) {
  if (find_present(name) == nullptr) return {};
  return optional_texts(name, count_max);
}

std::vector<std::string> Params::optional_texts(std::string_view name, std::size_t count_max) {
  std::vector<std::string> out;
  const msgpack::object* object = find(name);
  if (object == nullptr) return out;
  bool good = object->type == object_type::ARRAY && object->via.array.size <= count_max;
  for (std::uint32_t i = 0; good && i < object->via.array.size; ++i) {
    const msgpack::object& item = object->via.array.ptr[i];
    good = item.type == object_type::STR;
    if (good) out.emplace_back(text_of(item));
  }
  if (!good) fail(RefusalCode::fix_request, std::string(name) + " must be an array of texts");
  return out;
}

std::optional<std::vector<std::uint64_t>> Params::optional_u64s(std::string_view name,
                                                                std::size_t count) {
  const msgpack::object* object = find(name);
  if (object == nullptr) return std::nullopt;
  std::vector<std::uint64_t> out;
  bool good = object->type == object_type::ARRAY && object->via.array.size == count;
  for (std::uint32_t i = 0; good && i < count; ++i) {
    const msgpack::object& item = object->via.array.ptr[i];
    good = item.type == object_type::POSITIVE_INTEGER;
    out.push_back(item.via.u64);
  }
  if (!good) {
    fail(RefusalCode::fix_request, std::string(name) + " must be an array of " +
                                       std::to_string(count) + " integers of at least 0");
  }
  return out;
}

std::optional<Refusal> Params::finish() {
  for (std::uint32_t i = 0; map_ != nullptr && i < map_->size; ++i) {
    const msgpack::object& name = map_->ptr[i].key;
    if (name.type != object_type::STR) {
      fail(RefusalCode::fix_request, "a parameter's name is not text");
    } else if (!read_.contains(text_of(name))) {
      fail(RefusalCode::fix_request,
           "unknown parameter: " + std::string(text_of(name).substr(0, 64)));
    }
  }
  return refusal_;
}

}  // namespace radixmesh::ipc
