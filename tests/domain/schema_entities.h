#pragma once

#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/enum.h"
#include "base/write_json.h"
#include "domain/schema/tables.h"
#include "store/codec.h"

/// What the schema tests need to know of an entity without naming its members.
namespace paperclip::test {

/// Table and column of a foreign key → the table it names.
using ForeignKeys = std::map<std::pair<std::string, std::string>, std::string>;
/// Table → the key of the row that the test put into it.
using Keys = std::map<std::string, std::string>;

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsId : std::false_type {};
template <class Tag>
struct IsId<Id<Tag>> : std::true_type {};

/// Calls `f(column name, member)` for each member.
template <class Entity, class F>
void each_member(Entity& entity, F&& f) {
  boost::mp11::mp_for_each<members_of<std::remove_const_t<Entity>>>(
      [&](auto d) { f(std::string(enum_word(d.name)), entity.*d.pointer); });
}

/// Calls `f.operator()<Entity>(table)` for each entity, in the order in which rows can be inserted.
template <class F>
void each_entity(F&& f) {
  boost::mp11::mp_for_each<boost::mp11::mp_transform<boost::mp11::mp_identity, domain::Entities>>([&](auto identity) {
    using Entity = typename decltype(identity)::type;
    f.template operator()<Entity>(std::string(domain::table_of<Entity>));
  });
}

/// How a value stands in the database: SQL text of its slot, for comparison with a column's default.
template <class T>
std::string stored_text(const T& value) {
  store::Slot slot;
  store::CodecOf<T>::codec.write(&value, slot);
  if (slot.is_null) return "null";
  return store::CodecOf<T>::codec.kind == store::Kind::integer ? std::to_string(slot.integer) : slot.text;
}

/// Fills an entity's members with values that are not their defaults.
class Sampler {
 public:
  Sampler(const ForeignKeys& foreign_keys, Keys& keys) : foreign_keys_(foreign_keys), keys_(keys) {}

  /// All members; or only those without which the row cannot be.
  template <class Entity>
  Entity sample(const std::string& table, bool all) {
    Entity entity{};
    std::string key;
    each_member(entity, [&](const std::string& column, auto& member) {
      using Member = std::remove_cvref_t<decltype(member)>;
      const auto foreign = foreign_keys_.find({table, column});
      if (foreign != foreign_keys_.end()) {
        const auto named = keys_.find(foreign->second);
        if (named == keys_.end()) {
          EXPECT_TRUE(IsOptional<Member>::value)
              << table << "." << column << " names " << foreign->second << ", which comes later in Entities";
        } else if (all || !IsOptional<Member>::value) {
          set_key(member, named->second);
        }
      } else if (all || column == "id" || must_be_given(member)) {
        fill(member, table + "." + column);
      }
      if (column == "id") key = stored_text(member);
    });
    if (!key.empty()) pending_ = {table, key};
    return entity;
  }
  /// The row of the last sample is in the database: others may name it.
  void inserted() {
    if (!pending_.first.empty()) keys_[pending_.first] = pending_.second;
    pending_ = {};
  }

 private:
  template <class T>
  static bool must_be_given(const T& member) {
    if constexpr (std::is_same_v<T, RawJson>)
      return member.text.empty();
    else
      return std::is_same_v<T, Timestamp> || IsId<T>::value;
  }
  template <class T>
  void set_key(T& member, const std::string& key) {
    if constexpr (IsOptional<T>::value) {
      set_key(member.emplace(), key);
    } else if constexpr (IsId<T>::value) {
      member = *T::parse(key);
    } else if constexpr (std::is_same_v<T, std::string>) {
      member = key;
    } else {
      ADD_FAILURE() << "a foreign key that is no id";
    }
  }
  template <class T>
  void fill(T& member, const std::string& name) {
    if constexpr (IsOptional<T>::value) {
      fill(member.emplace(), name);
    } else if constexpr (IsId<T>::value) {
      char text[37];
      std::snprintf(text, sizeof text, "00000000-0000-4000-8000-%012x", ++count_);
      member = *T::parse(text);
    } else if constexpr (DescribedEnum<T>) {
      boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto d) { member = d.value; });
    } else if constexpr (std::is_same_v<T, std::string>) {
      member = name + " „’ü";
    } else if constexpr (std::is_same_v<T, bool>) {
      member = !member;
    } else if constexpr (std::is_same_v<T, Timestamp>) {
      member = Timestamp{1777802400123 + ++count_};
    } else if constexpr (std::is_same_v<T, RawJson>) {
      member = RawJson(std::string(R"({"list":[1,"zwei",null],"name":")") + name + "\"}");
    } else if constexpr (std::is_same_v<T, int>) {
      member = 2'000'000'000 + static_cast<int>(++count_);
    } else {
      static_assert(std::is_same_v<T, std::int64_t>);
      member = 9'000'000'000'000 + ++count_;
    }
  }

  const ForeignKeys& foreign_keys_;
  Keys& keys_;
  std::pair<std::string, std::string> pending_;
  unsigned count_ = 0;
};

}  // namespace paperclip::test
