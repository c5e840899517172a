// What a mistyped name was meant to be: the nearest of the right ones.
//
//   did_you_mean("--page-sise", flags)  " (did you mean --page-size?)"
//   did_you_mean("PAGE_SIZE", keys)     " (did you mean page-size?)"
//   did_you_mean("stat", verbs)         " (did you mean status?)"
//   did_you_mean("banana", verbs)       ""
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace radixmesh {

// How many letters are to be inserted, removed, replaced, or swapped with their neighbour, to make
// one of the other; no letter twice. Takes as many steps as the product of the lengths.
inline std::size_t typing_distance(std::string_view a, std::string_view b) {
  // Three rows of the table: a swap looks back by two.
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

// The letters and digits of a name, in lower case: names that differ only in what is left out here
// are taken for the same by who types them.
inline std::string plain_letters(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) out.push_back(static_cast<char>(c - 'A' + 'a'));
    if (!upper && c != '-' && c != '_' && c != '.' && c != ' ') out.push_back(c);
  }
  return out;
}

// The words of a name, which dashes and the like part, in lower case, sorted.
inline std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find_first_of("-_. "), name.size());
    if (end > 0) words.push_back(plain_letters(name.substr(0, end)));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  std::ranges::sort(words);
  return words;
}

// How far what was typed is from a name; nothing where it is too far to be meant. A word or a part
// that is missing or too many counts less than its letters.
inline std::optional<std::size_t> distance_between(std::string_view written,
                                                   std::string_view name) {
  constexpr std::size_t kBeginningMin = 3;
  const std::string a = plain_letters(written), b = plain_letters(name);
  const std::size_t longer = std::max(a.size(), b.size()), shorter = std::min(a.size(), b.size());
  if (shorter == 0) return std::nullopt;
  std::size_t distance = longer + 1;
  const std::vector<std::string> typed = words_of(written), right = words_of(name);
  if (std::ranges::includes(right, typed)) distance = 2 * (right.size() - typed.size());
  if (std::ranges::includes(typed, right)) distance = 3 * (typed.size() - right.size());
  const bool begins = b.starts_with(a) || a.starts_with(b);
  if (begins && shorter >= kBeginningMin) distance = std::min(distance, longer - shorter);
  const std::size_t distance_max = std::max<std::size_t>(1, longer * 2 / 5);
  if (longer - shorter <= distance_max) {
    const std::size_t letters = typing_distance(a, b);
    if (letters <= distance_max && letters < longer) distance = std::min(distance, letters);
  }
  return distance <= longer ? std::optional(distance) : std::nullopt;
}

// The one of `names` (a range of strings) that is nearest to what was written, the first of several
// that are equally near; nothing where none is near enough to be meant.
template <class Names>
std::optional<std::string> nearest(std::string_view written, const Names& names) {
  std::optional<std::string> best;
  std::size_t best_distance = 0;
  for (const std::string_view name : names) {
    const std::optional<std::size_t> distance = distance_between(written, name);
    if (!distance || (best && best_distance <= *distance)) continue;
    best = std::string(name);
    best_distance = *distance;
  }
  return best;
}

// The end of a message about a name that does not exist; empty where no name is near.
template <class Names>
std::string did_you_mean(std::string_view written, const Names& names) {
  const std::optional<std::string> meant = nearest(written, names);
  return meant ? " (did you mean " + *meant + "?)" : "";
}

}  // namespace radixmesh
