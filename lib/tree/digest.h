// What two replicas compare to prove that they agree on one holder.
//
//   H(0) = XXH3_128 of the namespace: for each of its four parts one byte of kind (0 nil, 1 text,
//          2 bytes), the length as u32, and the bytes
//   H(i) = XXH3_128 of H(i-1) (16 bytes, little-endian) and the tokens of page i (u32 each)
//   digest of a holder = the sum modulo 2^128 of H over all its pages, where that of a page which
//          retires counts 0x9E3779B97F4A7C15F39CC0605CEDC835 times
//
// All integers little-endian. The sum has no order, so it does not matter when pages came; slots,
// ranks and the shape of the tree are outside it.
#pragma once

#include <xxhash.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"

namespace radixmesh {

static_assert(std::endian::native == std::endian::little,
              "tokens are hashed as they lie in memory");

using Digest = unsigned __int128;

inline constexpr Digest kRetiringWeight =
    (static_cast<Digest>(0x9E3779B97F4A7C15ull) << 64) | 0xF39CC0605CEDC835ull;

inline std::string digest_hex(Digest digest) {
  std::string hex(32, '0');
  for (int i = 31; i >= 0; --i, digest >>= 4) hex[i] = "0123456789abcdef"[digest & 15];
  return hex;
}

// H of successive prefixes. Cost: one short hash a page.
class PrefixHasher {
 public:
  explicit PrefixHasher(Digest start, std::uint32_t page_size)
      : hash_(start), buffer_(sizeof(Digest) + page_size * sizeof(TokenId)) {}

  static Digest of_namespace(const CacheNamespace& name) {
    std::string bytes;
    for (const NamespacePart& part : name.parts) {
      bytes.push_back(static_cast<char>(part.kind));
      const auto length = static_cast<std::uint32_t>(part.value.size());
      bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
      bytes.append(part.value);
    }
    return to_digest(XXH3_128bits(bytes.data(), bytes.size()));
  }

  // Goes on by the page at `page`; returns H at its end.
  Digest next(const TokenId* page) {
    std::memcpy(buffer_.data(), &hash_, sizeof hash_);
    std::memcpy(buffer_.data() + sizeof hash_, page, buffer_.size() - sizeof hash_);
    hash_ = to_digest(XXH3_128bits(buffer_.data(), buffer_.size()));
    return hash_;
  }
  Digest hash() const { return hash_; }

 private:
  static Digest to_digest(XXH128_hash_t hash) {
    return (static_cast<Digest>(hash.high64) << 64) | hash.low64;
  }

  Digest hash_;
  std::vector<unsigned char> buffer_;
};

}  // namespace radixmesh
