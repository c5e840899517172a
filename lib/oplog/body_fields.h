// Reads the values that bodies are made of; each is a part of several types. False where a rule of
// it is broken; the output is then of no use. Used by body_read.cpp alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/oplog/body_codec.h"

namespace radixmesh::wire {

bool read_namespace(const Object* object, CacheNamespace& name);
bool read_anchor(ArrayReader& items, Anchor& anchor);
bool read_anchors(const Object* object, std::vector<Anchor>& anchors);
bool read_vector(const Object* object, std::vector<VectorEntry>& vector);
bool read_load(ArrayReader& fields, std::optional<Load>& load);
bool read_rank(ArrayReader& fields, NodeRank& rank);
bool read_refute(ArrayReader& fields, std::uint32_t& refute);
bool read_role(ArrayReader& fields, Role& role);
bool read_state(ArrayReader& fields, MemberState& state);
bool read_founder(const Object* object, Founder& founder);
bool read_news(const Object* object, std::vector<MemberNews>& news);
bool read_standing(ArrayReader& fields, Standing& standing);
bool read_engine_token(ArrayReader& fields, std::string& token);
bool read_lease(ArrayReader& fields, Duration& lease);

}  // namespace radixmesh::wire
