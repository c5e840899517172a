#include "lib/oplog/body_fields.h"

#include "lib/base/limits.h"

namespace radixmesh::wire {

bool read_namespace(const Object* object, CacheNamespace& name) {
  if (object == nullptr) return false;
  name = {};
  if (object->type == msgpack::type::NIL) return true;
  if (object->type != msgpack::type::ARRAY || object->via.array.size != 4) return false;
  for (std::size_t i = 0; i < 4; ++i) {
    const Object& part = object->via.array.ptr[i];
    std::string_view value;
    if (part.type == msgpack::type::NIL) continue;
    if (part.type == msgpack::type::STR) {
      name.parts[i].kind = NamespacePart::Kind::text;
      value = {part.via.str.ptr, part.via.str.size};
    } else if (part.type == msgpack::type::BIN) {
      name.parts[i].kind = NamespacePart::Kind::bytes;
      value = {part.via.bin.ptr, part.via.bin.size};
    } else {
      return false;
    }
    if (value.size() > limits::namespace_part_bytes_max) return false;
    name.parts[i].value = value;
  }
  return true;
}

bool read_anchor(ArrayReader& items, Anchor& anchor) {
  return items.count(anchor.seq.value) && items.u32(anchor.tokens) && anchor.seq.value > 0 &&
         anchor.tokens > 0;
}

bool read_anchors(const Object* object, std::vector<Anchor>& anchors) {
  if (object == nullptr || object->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*object);
  if (items.left() % 2 != 0 || items.left() / 2 > limits::delete_entries_max) return false;
  anchors.clear();
  while (items.left() > 0) {
    Anchor anchor;
    if (!read_anchor(items, anchor)) return false;
    anchors.push_back(anchor);
  }
  return true;
}

bool read_vector(const Object* object, std::vector<VectorEntry>& vector) {
  if (object == nullptr || object->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*object);
  if (items.left() % 3 != 0 || items.left() / 3 > limits::members_max) return false;
  vector.clear();
  while (items.left() > 0) {
    VectorEntry entry;
    if (!items.u64(entry.origin.value) || !items.count(entry.epoch.value) ||
        !items.count(entry.applied.value)) {
      return false;
    }
    vector.push_back(entry);
  }
  return true;
}

bool read_load(ArrayReader& fields, std::optional<Load>& load) {
  load.reset();
  if (fields.nil()) return true;
  const Object* object = fields.next();
  if (object == nullptr) return false;
  ArrayReader items(*object);
  Load read;
  if (!items.u32(read.running) || !items.u32(read.waiting)) return false;
  if (!items.nil() && !items.u64(read.queued_tokens.emplace())) return false;
  if (!items.u64(read.kv_used) || !items.u64(read.kv_total)) return false;
  const bool has_rate = items.left() > 0 && !items.nil();
  if (has_rate && (!items.count(read.prefill_rate.emplace()) || *read.prefill_rate == 0))
    return false;
  if (items.left() > 0 && !items.count(read.report)) return false;
  load = read;
  return true;
}

bool read_rank(ArrayReader& fields, NodeRank& rank) {
  return fields.u32(rank.value) && (rank.value <= limits::rank_max || rank == kAnyRank);
}

bool read_refute(ArrayReader& fields, std::uint32_t& refute) {
  return fields.u32(refute) && refute <= limits::refute_max;
}

bool read_role(ArrayReader& fields, Role& role) {
  std::uint32_t number = 0;
  if (!fields.u32(number) || number > static_cast<std::uint32_t>(Role::router)) return false;
  role = static_cast<Role>(number);
  return true;
}

bool read_state(ArrayReader& fields, MemberState& state) {
  std::uint32_t number = 0;
  if (!fields.u32(number) || number > static_cast<std::uint32_t>(MemberState::left)) return false;
  state = static_cast<MemberState>(number);
  return true;
}

bool read_news(const Object* object, std::vector<MemberNews>& news) {
  if (object == nullptr || object->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*object);
  if (items.left() > limits::news_per_message_max) return false;
  news.clear();
  while (items.left() > 0) {
    ArrayReader fields(*items.next());
    MemberNews each;
    if (!fields.text(each.addr, limits::address_bytes_max) || each.addr.empty() ||
        !read_rank(fields, each.rank) || !read_role(fields, each.role) ||
        !fields.count(each.epoch.value) || !read_refute(fields, each.refute) ||
        !read_state(fields, each.state) || (fields.left() > 0 && !fields.boolean(each.removed))) {
      return false;
    }
    news.push_back(std::move(each));
  }
  return true;
}

bool read_standing(ArrayReader& fields, Standing& standing) {
  return fields.count(standing.epoch.value) && read_refute(fields, standing.refute) &&
         read_state(fields, standing.state);
}

bool read_founder(const Object* object, Founder& founder) {
  if (object == nullptr || object->type != msgpack::type::ARRAY) return false;
  ArrayReader fields(*object);
  return fields.text(founder.addr, limits::address_bytes_max) && fields.count(founder.life.value) &&
         founder.addr.empty() == (founder.life.value == 0);
}

bool read_engine_token(ArrayReader& fields, std::string& token) {
  std::string_view bytes;
  if (!fields.binary(bytes) || bytes.size() > limits::engine_token_bytes_max) return false;
  token = bytes;
  return true;
}

bool read_lease(ArrayReader& fields, Duration& lease) {
  std::uint64_t us = 0;
  if (!fields.u64(us) || us > limits::lease_us_max) return false;
  lease = Duration{static_cast<std::int64_t>(us)};
  return true;
}

}  // namespace radixmesh::wire
