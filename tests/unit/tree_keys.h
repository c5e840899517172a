// Keys for tests of the tree: sequences of page numbers, written out as tokens for any page size,
// in named shapes; and where the choices of a random test come from.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"

namespace radixmesh {

// A key of whole pages; one byte a page, so that prefixes compare and sort as strings do.
using Pages = std::string;

// A random test draws everything from here: from a seed, or from a fuzzer's bytes.
class Choices {
 public:
  virtual ~Choices() = default;
  // A number in [0, bound); bound is at least 1.
  virtual std::uint32_t below(std::uint32_t bound) = 0;
  bool one_in(std::uint32_t bound) { return below(bound) == 0; }
  std::uint32_t between(std::uint32_t low, std::uint32_t high) {  // both included
    return low + below(high - low + 1);
  }
};

class SeededChoices final : public Choices {
 public:
  explicit SeededChoices(std::uint64_t seed) : random_(seed) {}
  std::uint32_t below(std::uint32_t bound) override {
    return static_cast<std::uint32_t>(random_() % bound);
  }

 private:
  std::mt19937_64 random_;
};

// Writes pages as tokens. Two pages differ in one or two tokens only, anywhere in the page: a tree
// that looks at less than the whole page takes them for equal.
class PageCodec {
 public:
  explicit PageCodec(std::uint32_t page_size) : page_size_(page_size) {}
  std::uint32_t page_size() const { return page_size_; }

  std::vector<TokenId> tokens(const Pages& pages) const {
    std::vector<TokenId> out(pages.size() * page_size_, kFill);
    for (std::size_t i = 0; i < pages.size(); ++i) {
      const auto page = static_cast<unsigned char>(pages[i]);
      out[i * page_size_ + page % page_size_] = TokenId{kFirst + page};
    }
    return out;
  }
  // The inverse. Throws where the tokens are not what tokens() writes.
  Pages pages(std::span<const TokenId> tokens) const {
    Pages out;
    for (std::size_t i = 0; i + page_size_ <= tokens.size(); i += page_size_) {
      std::uint32_t page = 0;
      for (TokenId token : tokens.subspan(i, page_size_)) {
        if (token != kFill) page = static_cast<std::uint32_t>(token) - kFirst;
      }
      out.push_back(static_cast<char>(page));
    }
    const std::vector<TokenId> again = this->tokens(out);
    if (!std::equal(again.begin(), again.end(), tokens.begin(), tokens.end())) {
      throw std::logic_error("tokens that no key has");
    }
    return out;
  }

 private:
  static constexpr TokenId kFill{7};
  static constexpr std::uint32_t kFirst = 1000;
  std::uint32_t page_size_;
};

// What keys look like. Each provokes something else in a radix tree.
enum class KeyShape {
  two_letters,  // much sharing, splits at every depth, keys that are prefixes of others
  chain,        // one long path, of which every key is a beginning; at times another last page
  fan_out,      // many children of one node
  deep,         // long edges, beyond what a join copies; branches far down
  random,       // few pages, any of them
};
inline constexpr std::array kKeyShapes{KeyShape::two_letters, KeyShape::chain, KeyShape::fan_out,
                                       KeyShape::deep, KeyShape::random};

inline const char* name_of(KeyShape shape) {
  switch (shape) {
    case KeyShape::two_letters:
      return "two letters";
    case KeyShape::chain:
      return "chain";
    case KeyShape::fan_out:
      return "fan-out";
    case KeyShape::deep:
      return "deep";
    case KeyShape::random:
      return "random";
  }
  return "?";
}

inline Pages letters_key(Choices& choices, std::uint32_t letters, std::uint32_t length_max) {
  Pages key;
  for (std::uint32_t left = choices.between(1, length_max); left > 0; --left) {
    key.push_back(static_cast<char>('a' + choices.below(letters)));
  }
  return key;
}

// The first `length` pages of the one path that chain and deep keys follow.
inline Pages path_key(std::uint32_t length) {
  Pages key;
  for (std::uint32_t i = 0; i < length; ++i) key.push_back(static_cast<char>(i));
  return key;
}

inline Pages draw_key(KeyShape shape, Choices& choices) {
  switch (shape) {
    case KeyShape::two_letters:
      return letters_key(choices, 2, 10);
    case KeyShape::chain: {
      Pages key = path_key(choices.between(1, 40));
      if (choices.one_in(4)) key.back() = static_cast<char>(key.back() + 50);
      return key;
    }
    case KeyShape::fan_out: {
      Pages key(1, static_cast<char>(200 + choices.below(48)));
      if (choices.one_in(2)) key += letters_key(choices, 3, 2);
      return key;
    }
    case KeyShape::deep: {
      Pages key = path_key(choices.between(20, 100));
      if (!choices.one_in(3)) {
        key.resize(key.size() / 10 * 10);
        for (std::uint32_t i = choices.between(1, 20); i > 0; --i) {
          key.push_back(static_cast<char>(200 + choices.below(2)));
        }
      }
      return key;
    }
    case KeyShape::random:
      return letters_key(choices, 12, 6);
  }
  return {};
}

// Namespaces that a joined string would mix up, and the default one first.
inline const std::array<CacheNamespace, 4>& test_namespaces() {
  using Kind = NamespacePart::Kind;
  static const std::array<CacheNamespace, 4> names{{
      {},
      {{NamespacePart{Kind::text, "a"}, {Kind::text, "bc"}, {}, {}}},
      {{NamespacePart{Kind::text, "ab"}, {Kind::text, "c"}, {}, {}}},
      {{NamespacePart{Kind::bytes, "a"}, {Kind::text, "bc"}, {}, {}}},
  }};
  return names;
}

}  // namespace radixmesh
