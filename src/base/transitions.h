#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace paperclip {

/// One arrow of a state machine, with the words that say when it is taken.
template <class State>
struct Transition {
  State from, to;
  const char* when;
};

/// A state machine as a table (STYLE: sources, target, cause in one place).
template <class State, std::size_t N>
struct Transitions {
  std::array<Transition<State>, N> rows;

  constexpr bool allow(State from, State to) const {
    return std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.from == from && row.to == to; });
  }
  /// True if no arrow leaves the state.
  constexpr bool is_final(State state) const {
    return std::none_of(rows.begin(), rows.end(), [&](const auto& row) { return row.from == state; });
  }
};

template <class State, std::size_t N>
constexpr Transitions<State, N> transitions(const Transition<State> (&rows)[N]) {
  return {std::to_array(rows)};
}

}  // namespace paperclip
