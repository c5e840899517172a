#include "lib/oplog/codec.h"

#include <xxhash.h>

#include <cstring>

#include "lib/base/check.h"
#include "lib/base/limits.h"
#include "lib/oplog/body_codec.h"
#include "lib/oplog/packing.h"

namespace radixmesh {
namespace {

constexpr std::size_t kLengthBytes = 4;
// The check comes last, always as a 32-bit integer.
constexpr std::uint8_t kCheckMark = 0xCE;
constexpr std::size_t kCheckBytes = 5;
constexpr std::size_t kFieldsUnchecked = 6;
// Frame, body, list of entries, entry, namespace.
constexpr DocumentBounds kFrameBounds{limits::frame_bytes_max, 5};

void put_length(Bytes& out, std::size_t begin) {
  const std::size_t length = out.size() - begin - kLengthBytes;
  CHECK_THAT(length <= limits::frame_bytes_max, length);
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    out[begin + i] = static_cast<char>(length >> (8 * (kLengthBytes - 1 - i)));
  }
}

// How many bytes the MessagePack integer takes whose first byte is `first`; 0 if it is none.
std::size_t integer_bytes(std::uint8_t first) {
  if (first <= 0x7F) return 1;
  if (first >= 0xCC && first <= 0xCF) return std::size_t{1} + (1u << (first - 0xCC));
  if (first >= 0xD0 && first <= 0xD3) return std::size_t{1} + (1u << (first - 0xD0));
  return 0;
}

// Past the length and the array header come type, origin, epoch and seq, then the ttl; others may
// have written all of them longer than they need be. Needs a frame whose envelope was read.
struct Layout {
  std::size_t fields;  // where the type begins
  std::size_t ttl;     // the last byte of the ttl, which holds its value
  std::size_t after_ttl() const { return ttl + 1; }
};

Layout layout_of(std::string_view frame) {
  const auto header = static_cast<std::uint8_t>(frame[kLengthBytes]);
  const std::size_t fields = kLengthBytes + (header == 0xDC ? 3 : header == 0xDD ? 5 : 1);
  std::size_t at = fields;
  for (int i = 0; i < 4; ++i) at += integer_bytes(static_cast<std::uint8_t>(frame[at]));
  const std::size_t bytes = integer_bytes(static_cast<std::uint8_t>(frame[at]));
  CHECK_THAT(bytes >= 1, at);
  return {fields, at + bytes - 1};
}

// Of all that a relay passes on as it is: what lies before the ttl, and what lies between it and
// the check itself.
std::uint32_t check_of(std::string_view frame, std::size_t end) {
  const Layout layout = layout_of(frame);
  const std::string_view head = frame.substr(layout.fields, layout.ttl - layout.fields);
  const std::string_view rest = frame.substr(layout.after_ttl(), end - layout.after_ttl());
  const std::uint64_t seed = XXH3_64bits(head.data(), head.size());
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(rest.data(), rest.size(), seed));
}

void put_check(Bytes& out, std::size_t begin) {
  const std::uint32_t check = check_of(std::string_view(out).substr(begin), out.size() - begin);
  out.push_back(static_cast<char>(kCheckMark));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(check >> shift));
}

// Whether a frame of `fields` fields ends with the check that belongs to it. Six have none.
bool check_holds(std::string_view frame, std::size_t fields) {
  if (fields == kFieldsUnchecked) return true;
  const std::size_t end = frame.size() - kCheckBytes;
  if (static_cast<std::uint8_t>(frame[end]) != kCheckMark || end <= layout_of(frame).ttl)
    return false;
  std::uint32_t said = 0;
  for (std::size_t i = 1; i < kCheckBytes; ++i) {
    said = (said << 8) | static_cast<std::uint8_t>(frame[end + i]);
  }
  return said == check_of(frame, end);
}

bool read_envelope(const wire::Object& object, Envelope& envelope) {
  wire::ArrayReader fields(object);
  std::uint64_t type = 0, ttl = 0;
  if (!fields.u64(type) || !fields.u64(envelope.origin.value) ||
      !fields.count(envelope.epoch.value) || !fields.count(envelope.seq.value) ||
      !fields.u64(ttl)) {
    return false;
  }
  envelope.type = static_cast<std::uint8_t>(type);
  envelope.ttl = static_cast<std::uint8_t>(ttl);
  const bool numbered = envelope.is_op();
  return type <= 0xFF && ttl <= 0x7F && envelope.epoch.value > 0 &&
         numbered == (envelope.seq.value > 0);
}

}  // namespace

std::string_view sentence(WireError error) {
  switch (error) {
    case WireError::truncated:
      return "the bytes end before the frame does";
    case WireError::oversized:
      return "the frame is empty or longer than 64 KiB";
    case WireError::not_msgpack:
      return "the frame is not one MessagePack value within the bounds";
    case WireError::bad_envelope:
      return "the frame is not [type, origin, epoch, seq, ttl, body, check]";
    case WireError::bad_check:
      return "the check does not belong to the frame: it was changed on its way";
    case WireError::bad_body:
      return "the body breaks a rule of its type";
    case WireError::unknown_control:
      return "the control type is not known";
    case WireError::unknown_op:
      return "the op type is not known";
  }
  return "?";
}

void encode(const Message& message, Bytes& out) {
  const std::size_t begin = out.size();
  out.append(kLengthBytes, '\0');
  Buffer buffer{out};
  Packer packer(buffer);
  packer.pack_array(7);
  packer.pack_uint8(message.envelope.type);
  packer.pack_uint64(message.envelope.origin.value);
  packer.pack_uint64(message.envelope.epoch.value);
  packer.pack_uint64(message.envelope.seq.value);
  packer.pack_uint8(message.envelope.ttl);
  std::visit([&](const auto& body) { wire::pack_body(packer, body); }, message.body);
  put_check(out, begin);
  put_length(out, begin);
}

Bytes encode(const Message& message) {
  Bytes out;
  encode(message, out);
  return out;
}

tl::expected<std::string_view, WireError> take_frame(std::string_view& bytes) {
  if (bytes.size() < kLengthBytes) return tl::unexpected(WireError::truncated);
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length = (length << 8) | static_cast<std::uint8_t>(bytes[i]);
  }
  if (length == 0 || length > limits::frame_bytes_max) return tl::unexpected(WireError::oversized);
  if (bytes.size() - kLengthBytes < length) return tl::unexpected(WireError::truncated);
  const std::string_view frame = bytes.substr(0, kLengthBytes + length);
  bytes.remove_prefix(frame.size());
  return frame;
}

tl::expected<Envelope, WireError> decode_envelope(std::string_view frame) {
  Document document;
  if (!document.parse(frame.substr(kLengthBytes), kFrameBounds))
    return tl::unexpected(WireError::not_msgpack);
  Envelope envelope;
  if (!read_envelope(document.root(), envelope)) return tl::unexpected(WireError::bad_envelope);
  if (!check_holds(frame, document.root().via.array.size)) {
    return tl::unexpected(WireError::bad_check);
  }
  return envelope;
}

tl::expected<Message, WireError> decode(std::string_view frame) {
  Document document;
  if (!document.parse(frame.substr(kLengthBytes), kFrameBounds))
    return tl::unexpected(WireError::not_msgpack);
  Message message;
  if (!read_envelope(document.root(), message.envelope)) {
    return tl::unexpected(WireError::bad_envelope);
  }
  const wire::Object* body = wire::ArrayReader(document.root()).at(5);
  if (body == nullptr) return tl::unexpected(WireError::bad_envelope);
  if (!check_holds(frame, document.root().via.array.size)) {
    return tl::unexpected(WireError::bad_check);
  }
  switch (wire::read_body(message.envelope.type, *body, message.body)) {
    case wire::BodyOutcome::read:
      return message;
    case wire::BodyOutcome::bad:
      return tl::unexpected(WireError::bad_body);
    case wire::BodyOutcome::unknown_type:
      break;
  }
  return tl::unexpected(message.envelope.is_op() ? WireError::unknown_op
                                                 : WireError::unknown_control);
}

Bytes with_ttl(std::string_view frame, std::uint8_t ttl) {
  CHECK_THAT(ttl <= 0x7F, ttl);
  Bytes copy(frame);
  copy[layout_of(frame).ttl] = static_cast<char>(ttl);
  return copy;
}

std::uint32_t insert_share(std::span<const TokenId> tokens, const SlotRuns& slots,
                           std::uint32_t page_size) {
  const std::size_t most = std::min<std::size_t>(tokens.size(), limits::insert_tokens_max);
  std::size_t share = std::max<std::size_t>(most / page_size * page_size, page_size);
  // Halving finds a share that fits; a page always does (limits.h).
  while (share > page_size) {
    std::string packed;
    pack_slots(slots.part(0, share), packed);
    if (packed.size() + packed_tokens_bytes(tokens.first(share)) <=
        limits::insert_payload_bytes_max) {
      break;
    }
    share = std::max<std::size_t>(share / 2 / page_size * page_size, page_size);
  }
  return static_cast<std::uint32_t>(share);
}

std::uint64_t settings_fingerprint(std::string_view cluster, std::uint32_t page_size) {
  std::string text(cluster);
  text.push_back('\0');
  text.append(reinterpret_cast<const char*>(&page_size), sizeof page_size);
  return XXH3_64bits(text.data(), text.size());
}

}  // namespace radixmesh
