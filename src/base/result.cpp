#include "base/result.h"

namespace paperclip {

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_request:
    case ErrorKind::validation: return 400;
    case ErrorKind::unauthorized: return 401;
    case ErrorKind::forbidden: return 403;
    case ErrorKind::not_found: return 404;
    case ErrorKind::conflict: return 409;
    case ErrorKind::gone: return 410;
    case ErrorKind::too_large: return 413;
    case ErrorKind::unprocessable: return 422;
    case ErrorKind::too_many: return 429;
    case ErrorKind::internal: return 500;
    case ErrorKind::bad_gateway: return 502;
    case ErrorKind::unavailable: return 503;
    case ErrorKind::timeout: return 504;
  }
  return 500;
}

}  // namespace paperclip
