// The bodies of messages as MessagePack: one pack and one read per type. Used by codec.cpp alone.
#pragma once

#include <cstdint>
#include <msgpack.hpp>
#include <string_view>

#include "lib/base/msgpack_document.h"
#include "lib/base/packer.h"
#include "lib/oplog/message.h"

namespace radixmesh::wire {

using Object = msgpack::object;

// Reads the elements of an array one after the other; each call is false, and leaves its output as
// it was, where the array ends or the element is of another kind. Elements left over are skipped.
class ArrayReader {
 public:
  explicit ArrayReader(const Object& object) {
    if (object.type == msgpack::type::ARRAY) {
      items_ = object.via.array.ptr;
      size_ = object.via.array.size;
    }
  }
  std::uint32_t left() const { return size_ - next_; }
  const Object* at(std::uint32_t index) const { return index < size_ ? &items_[index] : nullptr; }
  const Object* next() { return next_ < size_ ? &items_[next_++] : nullptr; }

  bool u64(std::uint64_t& out);
  bool count(std::uint64_t& out);  // an integer of at most limits::count_max
  bool u32(std::uint32_t& out);
  bool boolean(bool& out);
  bool text(std::string& out, std::size_t bytes_max);
  bool binary(std::string_view& out);
  bool digest(Digest& out);
  // True if the next element is nil, which is then taken.
  bool nil();

 private:
  const Object* items_ = nullptr;
  std::uint32_t size_ = 0, next_ = 0;
};

enum class BodyOutcome : std::uint8_t { read, bad, unknown_type };
BodyOutcome read_body(std::uint8_t type, const Object& object, Body& body);

void pack_body(Packer& packer, const InsertOp& body);
void pack_body(Packer& packer, const DeleteOp& body);
void pack_body(Packer& packer, const ResetOp& body);
void pack_body(Packer& packer, const GcQueryOp& body);
void pack_body(Packer& packer, const GcAbortOp& body);
void pack_body(Packer& packer, const HeadMessage& body);
void pack_body(Packer& packer, const MarkerMessage& body);
void pack_body(Packer& packer, const Introduction& body);
void pack_body(Packer& packer, const RefusedMessage& body);
void pack_body(Packer& packer, const Pulse& body);
void pack_body(Packer& packer, const ReplayRequest& body);
void pack_body(Packer& packer, const ReplayMessage& body);
void pack_body(Packer& packer, const SnapshotRequest& body);
void pack_body(Packer& packer, const SnapshotChunk& body);
void pack_body(Packer& packer, const SnapshotCredit& body);
void pack_body(Packer& packer, const ProbeRequest& body);
void pack_body(Packer& packer, const ProbeReport& body);
void pack_body(Packer& packer, const NewsMessage& body);
void pack_body(Packer& packer, const TickMessage& body);
void pack_body(Packer& packer, const TickAckMessage& body);
void pack_body(Packer& packer, const JoinedMessage& body);
void pack_body(Packer& packer, const BookingsMessage& body);
void pack_body(Packer& packer, const RegisterMessage& body);
void pack_body(Packer& packer, const RegisteredMessage& body);
void pack_body(Packer& packer, const HoldMessage& body);
void pack_body(Packer& packer, const HeldMessage& body);

}  // namespace radixmesh::wire
