// Turns messages into frames and frames into messages; WIRE.md specifies the bytes. The gate for
// all that comes from other nodes: what passes here is valid in itself, and its sizes are bounded.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <tl/expected.hpp>

#include "lib/oplog/message.h"

namespace radixmesh {

// Why bytes are not a message. Each value has a sentence.
enum class WireError : std::uint8_t {
  truncated,        // the bytes end before the frame does
  oversized,        // the frame is longer than limits::frame_bytes_max, or empty
  not_msgpack,      // the frame is not one MessagePack value within the bounds
  bad_envelope,     // not [type, origin, epoch, seq, ttl, body, ..., check]
  bad_check,        // the frame was changed on its way
  bad_body,         // the body breaks a rule of its type
  unknown_control,  // a control type that this version does not know: skipped and counted
  unknown_op,       // an op type that this version does not know: it cannot be skipped
};
std::string_view sentence(WireError error);

// Appends one frame with its length. The message keeps the bounds of limits.h.
void encode(const Message& message, Bytes& out);
Bytes encode(const Message& message);

// Takes the first frame off `bytes`, its length included, without looking inside. After an error
// the rest of `bytes` cannot be trusted.
tl::expected<std::string_view, WireError> take_frame(std::string_view& bytes);

// The envelope alone, for a frame from take_frame(). For an unknown op this still answers, so that
// its origin and seq are known.
tl::expected<Envelope, WireError> decode_envelope(std::string_view frame);

// The whole message. O(bytes); allocates in proportion to them.
tl::expected<Message, WireError> decode(std::string_view frame);

// The same frame with another ttl: relays pass on what they got, bit for bit but this.
Bytes with_ttl(std::string_view frame, std::uint8_t ttl);

// How many tokens of the beginning (whole pages) fit one INSERT with their slots; at least one
// page.
std::uint32_t insert_share(std::span<const TokenId> tokens, const SlotRuns& slots,
                           std::uint32_t page_size);

// What must agree between two nodes, hashed: XXH3_64 of cluster, a zero byte, page size as u32.
std::uint64_t settings_fingerprint(std::string_view cluster, std::uint32_t page_size);

}  // namespace radixmesh
