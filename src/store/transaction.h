#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "store/event.h"
#include "store/reader.h"

namespace paperclip::store {

/// What a rule sees: it reads and writes, and either all of it becomes true or nothing. A rule may be run more than
/// once, so it has no effect but rows and `emit`s. Entities are described structs whose members are columns of the same
/// name.
class Transaction : public Reader {
 public:
  Transaction(Session& session, Timestamp now, Random& random, std::string_view origin);

  /// Runs one statement; returns the number of rows it inserted, updated or deleted. `{}` has no meaning here.
  template <class... Args>
  std::int64_t execute(std::string_view sql, const Args&... args) {
    const Param params[] = {param(args)..., {}};
    return run(sql, {params, sizeof...(Args)});
  }

  /// Inserts all members. Throws UniqueViolation; on PostgreSQL the rule cannot go on after that, use `try_insert` if
  /// it should.
  template <DescribedRow E>
  void insert(std::string_view table, const E& entity) {
    write(Verb::insert, table, shape_of<E>(), &entity, {});
  }

  /// Inserts; a unique violation is an Error of kind conflict and the rule can go on.
  template <DescribedRow E>
  Result<void> try_insert(std::string_view table, const E& entity) {
    try {
      nested([&] { insert(table, entity); });
    } catch (const UniqueViolation& violation) { return violation.error(); }
    return success();
  }

  /// Inserts unless any unique key is taken; true if it was inserted.
  template <DescribedRow E>
  bool insert_if_absent(std::string_view table, const E& entity) {
    return write(Verb::insert_if_absent, table, shape_of<E>(), &entity, {}) > 0;
  }

  /// Sets all members but `id` of the row whose `id` is the entity's; returns 0 if there is none, else 1.
  template <DescribedRow E>
  std::int64_t update(std::string_view table, const E& entity) {
    return write(Verb::update, table, shape_of<E>(), &entity, {});
  }

  /// Inserts, or where the conflict columns (a unique key, in its order) are taken sets all members but those,
  /// `id` and `created_at`.
  template <DescribedRow E>
  void upsert(std::string_view table, const E& entity, std::initializer_list<std::string_view> conflict_columns) {
    write(Verb::upsert, table, shape_of<E>(), &entity, {conflict_columns.begin(), conflict_columns.size()});
  }

  /// Runs `part()` in a savepoint of its own. If it throws, or returns a Result that is an error, what it wrote and
  /// emitted is undone and the rule can go on.
  template <class F>
  auto nested(F&& part) -> decltype(part()) {
    Savepoint savepoint(*this);
    if constexpr (std::is_void_v<decltype(part())>) {
      part();
      savepoint.keep();
    } else {
      auto result = part();
      if constexpr (requires {
                      { result.ok() } -> std::same_as<bool>;
                    }) {
        if (result.ok()) savepoint.keep();
      } else {
        savepoint.keep();
      }
      return result;
    }
  }

  /// Appends to the event log in this transaction; delivered after the commit, in commit order. `sequence`,
  /// `created_at` and `origin` are filled in.
  void emit(Event event);

  /// How many events this transaction has emitted so far.
  std::size_t emitted() const { return events_.size(); }

  /// A fresh id.
  template <class IdType>
  IdType new_id() {
    return random_.id<IdType>();
  }
  Random& random() { return random_; }

  /// For the write path: writes the emitted events and gives them their numbers. Called once, after the rule.
  void write_events();
  bool has_events() const { return !events_.empty(); }
  std::vector<Event> take_events() { return std::move(events_); }

 private:
  enum class Verb { insert, insert_if_absent, update, upsert };

  class Savepoint {
   public:
    explicit Savepoint(Transaction& tx);
    ~Savepoint() noexcept(false);
    void keep() { keep_ = true; }

   private:
    Transaction& tx_;
    std::size_t events_;
    int exceptions_;
    bool keep_ = false;
  };

  std::int64_t run(std::string_view sql, Params params);
  std::int64_t write(Verb verb, std::string_view table, const RowShape& shape, const void* entity,
                     std::span<const std::string_view> conflict_columns);

  Random& random_;
  std::string_view origin_;
  std::vector<Event> events_;
};

}  // namespace paperclip::store
