#include "store/error.h"
#include "store/soci_session.h"

namespace paperclip::store {

namespace {

/// Calls `exchange(buffer)` with the buffer that a kind uses. SOCI's containers refer to temporaries, so that each must
/// be handed over in the expression that makes it.
template <class Exchange>
void with_buffer(Kind kind, Slot& slot, Exchange&& exchange) {
  switch (kind) {
    case Kind::text: return exchange(slot.text);
    case Kind::integer: return exchange(slot.integer);
    case Kind::real: return exchange(slot.real);
  }
}

}  // namespace

Statement::Statement(soci::session& session, Engine engine, const std::string& engine_sql, const RowShape* shape,
                     Params params)
    : engine_(engine), shape_(shape), in_(params.size()), out_(shape ? shape->columns.size() : 0), statement_(session) {
  statement_.alloc();
  statement_.prepare(engine_sql, soci::details::st_repeatable_query);
  for (std::size_t i = 0; i < out_.size(); ++i)
    with_buffer(shape->columns[i].codec->kind, out_[i].slot,
                [&](auto& buffer) { statement_.exchange(soci::into(buffer, out_[i].indicator)); });
  for (std::size_t i = 0; i < in_.size(); ++i)
    with_buffer(params[i].codec->kind, in_[i].slot,
                [&](auto& buffer) { statement_.exchange(soci::use(buffer, in_[i].indicator)); });
  statement_.define_and_bind();
  // SOCI looks up each argument's name while it describes an error, and fails over `$1`, which has none.
  if (engine == Engine::postgresql)
    static_cast<soci::postgresql_statement_backend*>(statement_.get_backend())->names_.resize(in_.size());
}

Statement::Reset::~Reset() {
  if (statement.engine_ == Engine::sqlite)
    sqlite_api::sqlite3_reset(static_cast<soci::sqlite3_statement_backend*>(statement.statement_.get_backend())->stmt_);
  else
    static_cast<soci::postgresql_statement_backend*>(statement.statement_.get_backend())->result_.reset();
}

void Statement::bind(Params params) {
  for (std::size_t i = 0; i < in_.size(); ++i) {
    try {
      params[i].write(in_[i].slot);
    } catch (const StoreError& error) {
      if (params[i].name.empty()) throw;
      throw StoreError(error.kind(), std::string(params[i].name) + ": " + error.what());
    }
    in_[i].indicator = in_[i].slot.is_null ? soci::i_null : soci::i_ok;
  }
}

/// A select list that is shorter or longer than the row type would be read as NULLs or be lost in silence.
void Statement::check_width() {
  int columns = 0;
  if (engine_ == Engine::sqlite) {
    auto* backend = static_cast<soci::sqlite3_statement_backend*>(statement_.get_backend());
    columns = sqlite_api::sqlite3_column_count(backend->stmt_);
  } else {
    columns = PQnfields(static_cast<soci::postgresql_statement_backend*>(statement_.get_backend())->result_);
  }
  if (columns != static_cast<int>(out_.size()))
    throw StoreError(ErrorKind::internal, "the query has " + std::to_string(columns) + " columns, the row type " +
                                              std::to_string(out_.size()));
  width_checked_ = true;
}

void Statement::fill(void* row) {
  for (std::size_t i = 0; i < out_.size(); ++i) {
    const Column& column = shape_->columns[i];
    void* member = static_cast<char*>(row) + column.offset;
    if (out_[i].indicator == soci::i_null) {
      if (!column.codec->nullable)
        throw StoreError(ErrorKind::internal, "column " + std::to_string(i + 1) + " " + std::string(column.name) +
                                                  " is NULL, the member is not optional");
      column.codec->clear(member);
      continue;
    }
    try {
      column.codec->read(out_[i].slot, member);
    } catch (const StoreError& error) {
      throw StoreError(error.kind(), "column " + std::string(column.name) + ": " + error.what());
    }
  }
}

/// Executes and fetches the first row. PostgreSQL knows the number of columns only after the first execution.
bool Statement::begin() {
  if (width_checked_ || out_.empty()) return statement_.execute(true);
  if (engine_ == Engine::sqlite) {
    check_width();
    return statement_.execute(true);
  }
  statement_.execute(false);
  check_width();
  return statement_.fetch();
}

void Statement::select(Params params, FunctionRef<void*()> next, FunctionRef<bool(void*)> filled) {
  bind(params);
  const Reset reset{*this};
  for (bool more = begin(); more; more = statement_.fetch()) {
    void* row = next();
    if (row) fill(row);
    if (!filled(row)) break;
  }
}

std::int64_t Statement::execute(Params params) {
  bind(params);
  const Reset reset{*this};
  statement_.execute(true);
  return statement_.get_affected_rows();
}

}  // namespace paperclip::store
