#include "store/reader.h"

#include "store/session.h"

namespace paperclip::store {

Reader::Reader(Session& session, Timestamp now) : session_(session), dialect_(session.engine()), now_(now) {}

void Reader::select(std::string_view sql, const RowShape& shape, Params params, FunctionRef<void*()> next,
                    FunctionRef<bool(void*)> filled) {
  session_.select(sql, shape, params, next, filled);
}

bool Reader::any(std::string_view sql, Params params) {
  static const RowShape nothing;  // no column is fetched
  bool found = false;
  session_.select(
      sql, nothing, params, []() -> void* { return nullptr; },
      [&](void*) {
        found = true;
        return false;
      });
  return found;
}

}  // namespace paperclip::store
